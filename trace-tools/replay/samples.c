/* SPDX-License-Identifier: MIT */
/* samples: see samples.h. */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "model.h"

void samples_begin(struct samples *samples, uint32_t nr_sites)
{
	*samples = (struct samples){.nr_sites = nr_sites, .stride = 1};
	samples->rows = xcalloc((SAMPLES_MAX + 1) * (size_t)nr_sites, sizeof(*samples->rows));
}

void samples_free(struct samples *samples)
{
	free(samples->rows);
}

static struct site_sample *row_of(const struct samples *samples, uint32_t row)
{
	return samples->rows + row * (size_t)samples->nr_sites;
}

/* Row number nr. */
static void take(struct samples *samples, const struct site *sites)
{
	struct site_sample *row = row_of(samples, samples->nr);

	for (uint32_t i = 0; i < samples->nr_sites; i++)
		row[i] = (struct site_sample){(uint32_t)sites[i].pages_live, (uint32_t)sites[i].objects_live};
}

static void drop_every_other(struct samples *samples)
{
	for (uint32_t row = 1; 2 * row < samples->nr; row++)
		memcpy(row_of(samples, row), row_of(samples, 2 * row),
		       samples->nr_sites * sizeof(*samples->rows));
	samples->nr = (samples->nr + 1) / 2;
	samples->stride *= 2;
}

void samples_test(struct samples *samples, const struct site *sites)
{
	uint32_t test = samples->nr_begun++;

	if (samples->nr == SAMPLES_MAX && test % samples->stride == 0)
		drop_every_other(samples);
	take(samples, sites);
	samples->tests = test;
	samples->tail = test % samples->stride != 0;
	samples->nr += !samples->tail;
}

void samples_tail(struct samples *samples, const struct site *sites)
{
	if (!samples->nr_begun)
		return;
	take(samples, sites);
	samples->tests = samples->nr_begun;
	samples->tail = true;
}
