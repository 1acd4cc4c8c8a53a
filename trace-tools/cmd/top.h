/* SPDX-License-Identifier: MIT */
/* top: what top.c (the loop and the terminal) and top_screen.c (what is shown) share. */
#ifndef CMD_TOP_H
#define CMD_TOP_H

#include "replay/live_counters.h"
#include "target/symbols.h"

struct top {
	struct follow follow;
	struct live_counters counters;
	struct symbols *symbols; /* NULL: not opened yet */
	struct trace_env env;    /* of the metadata; all zero until they are there */
	bool env_known;
	enum follow_state state;
	bool manifest_bad;      /* there is a run.json, and it cannot be used */
	bool terminal;          /* standard output is one: redraw in place, bold, cut lines to its width */
	bool force_symbols;     /* of a kernel of another build, too */
	bool plain;             /* not even there bold or red */
	uint32_t rows, columns; /* of the terminal */
	uint32_t nr_sites;      /* shown at most */
};

/* One picture, of `rows` lines at most on a terminal. */
void top_draw(struct top *top, FILE *out);
void top_json(struct top *top, FILE *out);
/* Nothing is missing in what was read. */
bool top_complete(const struct top *top);
/* Some event was seen, and nothing is missing. */
bool top_tells(const struct top *top);

#endif
