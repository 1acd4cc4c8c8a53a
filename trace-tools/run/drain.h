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
 */
#ifndef TOOLS_RUN_DRAIN_H
#define TOOLS_RUN_DRAIN_H

#include "target/guest.h"

#define RINGS_MAX 8

struct drain {
	struct guest *guest;
	char *folder; /* RUN/trace */
	int fds[RINGS_MAX];
	uint64_t next[RINGS_MAX]; /* packet to take */
	int stacks_fd;
	uint64_t stacks_bytes; /* written, header included */
	uint64_t nr_packets, nr_events, bytes;
	uint64_t missed_packets; /* overwritten before they could be taken */
	bool attached;
	int error; /* errno of a failed write: nothing more is written */
};

/*
 * Removes the packets, the stacks and the run.json that an earlier run left in the folder: they would be read as part of
 * the one that begins, or as its end.
 */
void drain_clear(const char *run_folder);
/* Attaches to a guest whose desc was found: makes RUN/trace with its metadata. False with errno. */
bool drain_open(struct drain *drain, struct guest *guest, const char *trace_folder);
/* Takes what is there; returns how many packets. Does nothing in flight mode. */
uint32_t drain_step(struct drain *drain);
/* Takes everything, of a guest that stands still (or, in flight mode, a picture of one that runs); detaches. */
void drain_finish(struct drain *drain);
void drain_close(struct drain *drain);

#endif
