/* SPDX-License-Identifier: MIT */
/*
 * grind: random system calls by several processes at once, from a seed, in rounds; an audit between rounds.
 *
 * What a worker does depends on (seed, round, worker) alone, so a round can be played again; what the kernel makes of it
 * depends on how the workers meet, so the same finding may need several tries. Nobody looks at results: a call may fail,
 * a worker may die of what it touches. The kernel must live, end every worker, and give everything back.
 */
#ifndef GRIND_H
#define GRIND_H

#include "ulib.h"

#define GRIND_DIR "/tmp/grind"

uint64_t random_below(uint64_t limit);
void random_seed(uint64_t seed);

/* A worker's life: nr_calls random calls in the current directory. depth: how many forks it is away from the first. */
void worker_run(long nr_calls, int depth);

#endif
