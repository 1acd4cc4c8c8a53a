/* SPDX-License-Identifier: MIT */
/* death: what a machine died of, in words. */
#ifndef TOOLS_REPORT_DEATH_H
#define TOOLS_REPORT_DEATH_H

#include <stdio.h>

#include "ctf/run.h"
#include "target/image.h"

/* The panic (NULL: none), each hart, the last events of its run. STATUS_LEAKED for a panic. */
int death_report(const struct guest *guest, struct run *run, const struct panic_state *panic,
		 uint64_t nr_events, FILE *out);

#endif
