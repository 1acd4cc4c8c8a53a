/* SPDX-License-Identifier: MIT */
/*
 * samples: how much each call site held between the tests.
 *
 * What is held more after every test may be reachable and grow all the same, so it has to be looked at between tests and not
 * only at the end. A row of samples is taken where a test begins: then what the test before it did has settled, its audit
 * included. One row more is the tail: how things were when the last test had ended and was audited.
 *
 * A run may have thousands of tests. When SAMPLES_MAX rows are there, every other one is dropped, and from then on only every
 * other test begins a row: the memory is bounded, and the rows are spread evenly.
 *
 *     tests   0 1 2 3 4 5 6 7 ended        rows of four at most: 0 1 2 3 -> 0 2 4 6 and the tail
 *
 * SAMPLES-1  row i was taken where test number i * stride began; there are at most SAMPLES_MAX such rows.
 */
#ifndef TOOLS_REPLAY_SAMPLES_H
#define TOOLS_REPLAY_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#define SAMPLES_MAX 48U

struct site;

struct site_sample {
	uint32_t pages, objects; /* live */
};

struct samples {
	uint32_t nr_sites;
	uint32_t nr_begun; /* tests */
	uint32_t stride;
	uint32_t nr;    /* rows without the tail */
	bool tail;      /* row number nr is one, too */
	uint32_t tests; /* of the tail: how many had begun */
	bool overlap;   /* tests ran at the same time: no row is between them */
	struct site_sample *rows;
};

void samples_begin(struct samples *samples, uint32_t nr_sites);
void samples_free(struct samples *samples);
/* A test begins. */
void samples_test(struct samples *samples, const struct site *sites);
/* The last test that began has ended, or was audited. */
void samples_tail(struct samples *samples, const struct site *sites);

static inline uint32_t samples_nr_rows(const struct samples *samples)
{
	return samples->nr + samples->tail;
}

static inline struct site_sample samples_at(const struct samples *samples, uint32_t row, uint32_t site)
{
	return samples->rows[row * (uint64_t)samples->nr_sites + site];
}

/* How many tests had begun before the row was taken. */
static inline uint32_t samples_tests_before(const struct samples *samples, uint32_t row)
{
	return row < samples->nr ? row * samples->stride : samples->tests;
}

#endif
