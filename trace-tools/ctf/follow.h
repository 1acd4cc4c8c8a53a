/* SPDX-License-Identifier: MIT */
/*
 * follow: a run folder that grows: hands out the packets that were added since the last look, hart by hart.
 *
 * The recorder writes whole packets at the ends of the files, and stacks before the packets that name them (drain.h). A
 * packet of which a part is there yet waits for the next look. Records of one hart come in order; those of different
 * harts do not, since a busy hart fills its packets sooner: what counts them must not depend on their order.
 *
 *   waiting   nothing of a trace is there yet
 *   running   somebody has a file of the run open for writing
 *   ended     nobody has, or the folder was removed
 *
 * FOLLOW-1  each packet is handed out once, until a rewind.
 * FOLLOW-2  after follow_look the open files are those of the folder; after one that says true, none was read yet.
 */
#ifndef TOOLS_CTF_FOLLOW_H
#define TOOLS_CTF_FOLLOW_H

#include "run.h"

enum follow_state { FOLLOW_WAITING, FOLLOW_RUNNING, FOLLOW_ENDED };

struct follow_file {
	uint32_t hart;
	int fd;
	uint64_t offset; /* of the packet to take next */
	struct packet_chain chain;
	char what[160];
	const char
	    *fault; /* no packet at `offset`, or fd is -1: nothing more is read of this hart. NULL: none */
};

struct follow {
	char *folder, *trace_folder;
	struct follow_file files[STREAMS_MAX];
	uint32_t nr_files;
	int stacks_fd;
	uint32_t boot_id;
	bool boot_known;
	uint8_t *buffer;
	size_t buffer_bytes;
	/* By follow_compare. */
	bool interrupted;   /* the recording: there is no run.json */
	char cut_short[24]; /* what ended the machine before its time; "": nothing did */
};

typedef void follow_take(void *arg, uint32_t hart, const struct trace_record *records, size_t nr);

/*
 * False with errno when there is no such folder, or its trace may not be read. Ignores SIGIO from then on: the state is
 * asked for by leases, and a writer that comes while one is held makes the system send that.
 */
bool follow_open(struct follow *follow, const char *folder);
void follow_close(struct follow *follow);
/* Opens what has come into being; true when files were replaced (a new run into the same folder): all begins anew. */
bool follow_look(struct follow *follow);
/* Hands out what is new; how many records. */
uint64_t follow_step(struct follow *follow, follow_take *take, void *arg);
/* The next step begins with the first packets again. */
void follow_rewind(struct follow *follow);
/*
 * After all of a run that has ended was read: notes as faults where the files are not what run.json says, if there is one
 * that can be used, and how it ended. True: it can, or there is none.
 */
bool follow_compare(struct follow *follow);
enum follow_state follow_state(const struct follow *follow);

uint32_t follow_nr_stacks(const struct follow *follow);
bool follow_stack(const struct follow *follow, uint32_t id, struct trace_stack *stack);
uint64_t follow_discarded(const struct follow *follow);
uint64_t follow_missing(const struct follow *follow);
/* Packets are missing at a beginning, or a file is damaged. */
bool follow_damaged(const struct follow *follow);

#endif
