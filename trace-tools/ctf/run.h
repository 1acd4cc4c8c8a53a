/* SPDX-License-Identifier: MIT */
/*
 * run: what was recorded, opened for reading: a run folder, or a capture of /proc/ktrace.
 *
 *   RUN/run.json             what was run, and what the files must hold (manifest.h)
 *   RUN/trace/metadata       CTF 1.8; RUN/trace holds nothing but CTF files
 *   RUN/trace/hartN          packets of hart N, whole, in order
 *   RUN/trace/stacks         one packet: the stack depot
 *   RUN/kernel/pagetrail.elf the kernel that ran
 *   RUN/logs/console.log     what it said
 *
 * A folder with the trace files directly in it is accepted, too. A capture is one file with packets of all harts and
 * of stacks, in any order of harts; a kernel/pagetrail.elf or pagetrail.elf beside it is its kernel. Files are mapped,
 * not read; opening looks at packet headers only. Damage is noted with file, offset and what is wrong, and reading goes on
 * behind it: after a bad header at the next place where one stands, after a bad record at the next record.
 *
 * RUN-1  packets of a stream are in order of sequence and of time, and lie within the file.
 * RUN-2  run_complete() is true iff no event of the machine is missing between power-on and the end of the recording,
 *        by what run.json says; it is final only after all records were read (merge.h checks them one by one).
 */
#ifndef TOOLS_CTF_RUN_H
#define TOOLS_CTF_RUN_H

#include <stdio.h>

#include "manifest.h"

#define DAMAGES_KEPT 64

struct packet {
	uint64_t offset; /* in the file */
	uint64_t end_time;
	uint32_t nr_records;
};

struct stream {
	char *path;
	uint32_t hart;
	const uint8_t *map;
	size_t bytes;
	struct packet *packets;
	size_t nr_packets, packets_capacity;
	struct packet_chain chain;
};

struct damage {
	char *path; /* of a file of the run */
	uint64_t offset;
	char *what;
};

struct run {
	char *folder;                 /* or file */
	char *trace_folder;           /* NULL for a capture */
	bool is_capture;              /* all streams share the stacks' file */
	char *kernel_path;            /* NULL: there is none that gives the right names */
	char *kernel_fault;           /* why not, where there should be one; NULL */
	bool kernel_proved;           /* kernel_path is the kernel that ran, by build id or checksum */
	char build_id[BUILD_ID_TEXT]; /* of the kernel that ran; "": nobody said */
	bool watched; /* recorded from outside, of a kernel that knows nothing of it: no kinds, no holders */
	uint64_t stack_base; /* frames of the stacks are return addresses minus this */
	struct stream streams[STREAMS_MAX];
	uint32_t nr_streams;
	char *stacks_path;
	const uint8_t *stacks_map;
	size_t stacks_bytes;
	const struct trace_stack *stacks; /* [0] is stack 1 */
	uint32_t nr_stacks;
	struct manifest manifest;
	char *manifest_path;
	uint32_t boot_id; /* of the manifest, else of the first packet */
	bool boot_known;
	bool is_other; /* the files are not those that run.json is about: nothing in them proves anything */
	uint64_t nr_records; /* of all streams */
	struct damage damages[DAMAGES_KEPT];
	size_t nr_damages; /* may exceed what is kept */
};

/* NULL and a message in *error (caller frees) when there is no trace at all. */
struct run *run_open(const char *path, char **error);
/* Is this a run folder, by its trace? */
bool run_is_folder(const char *folder);
/* A line "\n    FOLDER/NAME" for each run that lies in a folder, the newest name first. NULL: there is none. Caller frees. */
char *run_list_beneath(const char *folder);
void run_close(struct run *run);
/* From now on the kernel in a run folder gives the names, whatever build it is of. */
void run_force_symbols(void);

/* Notes damage; used by merge and model as they find it. */
void run_damage(struct run *run, const char *path, uint64_t offset, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Gives the pages of a stream's file before `offset` back to the system, in steps; they are read again when they are
 * looked at again. *forgotten: how many bytes so far, 0 at first. So what a long run takes of memory does not grow with it.
 */
void run_forget(const struct stream *stream, uint64_t *forgotten, uint64_t offset);

/* From the first event of any hart to the last; 0 to 0 when there is none. */
void run_span(const struct run *run, uint64_t *begin, uint64_t *end);
/* Nothing says what the files must hold: recording was interrupted, or still goes on. */
bool run_interrupted(const struct run *run);
uint64_t run_discarded(const struct run *run);
uint64_t run_missing_packets(const struct run *run);
bool run_starts_late(const struct run *run);
bool run_complete(const struct run *run);
/* Says what is lost or damaged, one line each; prints nothing when the run is complete. */
void run_print_losses(const struct run *run, FILE *out);

/* Frames of a stack as address - stack_base, innermost first. 0 frames for an unknown id. */
uint32_t run_stack(const struct run *run, uint32_t id, const uint32_t **frames);

static inline const struct trace_record *stream_records(const struct stream *stream,
							const struct packet *packet)
{
	return (const struct trace_record *)(stream->map + packet->offset +
					     sizeof(struct trace_packet_header));
}

#endif
