/* SPDX-License-Identifier: MIT */
/* run_priv: what run.c (files) and run_scan.c (what is in them) share. See run.h. */
#ifndef TOOLS_CTF_RUN_PRIV_H
#define TOOLS_CTF_RUN_PRIV_H

#include "run.h"

/* The packets of one hart, stream->map being its file. */
void run_scan_hart(struct run *run, struct stream *stream);
/* The stacks, run->stacks_map being their file. */
void run_scan_stacks(struct run *run);
/* Packets of all harts and the stacks in one file, run->stacks_map: makes the streams. */
void run_scan_capture(struct run *run);

/* Of a further look at a trace (merge_visit): what was noted beyond the first nr_damages is noted by the reader whose verdict it is. */
void run_forget_damages(struct run *run, size_t nr_damages);

#endif
