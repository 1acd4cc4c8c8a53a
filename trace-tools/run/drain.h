/* SPDX-License-Identifier: MIT */
/*
 * drain: carries packets from a guest's rings to the files of a run folder.
 *
 * While the guest runs, in stream mode: closed packets only, each then marked consumed, which lets the guest
 * use its slot again. At the end, or of a dead machine: all that stands in the rings, the half-full packets too
 * (a packet is valid at every instant). Stacks are written before the packets that name them, so the folder can
 * be read at any time.
 *
 * DRAIN-1  files hold whole packets; the last one of a hart may be trimmed to its content.
 * DRAIN-2  in stream mode nothing is lost here: what the guest had to discard stands in the packet headers.
 * DRAIN-3  what is written can be read: a packet that the guest broke in memory is left out and counted as missed. The
 *          guest's memory may say anything at any time; each header is copied first and then checked.
 */
#ifndef TOOLS_RUN_DRAIN_H
#define TOOLS_RUN_DRAIN_H

#include "ctf/manifest.h"
#include "target/guest.h"

#define RINGS_MAX 8

/* What of the rings is wanted: what nobody took yet, or all that still stands in them, of a dead machine. */
enum drain_from { DRAIN_NEW, DRAIN_ALL };

struct drain {
	struct guest *guest;
	char *folder; /* RUN/trace */
	int fds[RINGS_MAX];
	uint64_t next[RINGS_MAX]; /* packet to take */
	int stacks_fd;
	uint64_t stacks_bytes; /* written, header included */
	struct trace_packet_header stacks_header;
	uint32_t boot_id;
	struct packet_chain chains[RINGS_MAX]; /* what was written */
	struct manifest_file stacks, metadata;
	uint64_t nr_packets, nr_events, nr_marks, bytes;
	uint64_t missed_packets; /* overwritten or broken before they could be taken */
	const char *stray;       /* the member of trace_desc that something wrote on; NULL: none so far */
	bool attached;
	int error; /* errno of a failed write: nothing more is written */
};

/* Where the pictures (.png, .svg) and the report of a run go unless the user names a place. */
#define RUN_FREE_PAGES "free-pages"
#define RUN_KINDS "kinds"
#define RUN_PAGE_MAP "page-map"
#define RUN_LIFETIMES "lifetimes"
#define RUN_REPORT "report.html"
#define RUN_COMPARED "compare.html"

/*
 * Removes the packets, the stacks and the run.json that an earlier run left in the folder: they would be read as part of
 * the one that begins, or as its end; and its pictures and report, which would be taken for those of the new one.
 */
void drain_clear(const char *run_folder);
/* Attaches to a guest whose desc was found: makes RUN/trace with its metadata. False with errno. */
bool drain_open(struct drain *drain, struct guest *guest, const char *trace_folder, enum drain_from from);
/* Takes what is there; returns how many packets. Does nothing in flight mode. */
uint32_t drain_step(struct drain *drain);
/* Takes everything, of a guest that stands still (or, in flight mode, a picture of one that runs); detaches. */
void drain_finish(struct drain *drain);
/* What was written, after drain_finish. Of a machine whose trace was never found, guest->desc being NULL, nothing. */
void drain_manifest(const struct drain *drain, const struct guest *guest, struct manifest *manifest);
void drain_close(struct drain *drain);

#endif
