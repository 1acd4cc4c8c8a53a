/* SPDX-License-Identifier: MIT */
/*
 * ledger: one page's life, event by event: each get with the put that released it.
 *
 * The pairs are those of pairing.h, so what the ledger shows as open is what `leaks` looks at. page_alloc begins a life,
 * page_free ends it; what is left of early puts at the end of the trace is paired by kind, as the model does.
 *
 * LEDGER-1  released_by[releases[i]] == i wherever releases[i] is an entry.
 */
#ifndef TOOLS_REPLAY_LEDGER_H
#define TOOLS_REPLAY_LEDGER_H

#include "ctf/format.h"

#define LEDGER_NONE SIZE_MAX

struct ledger_entry {
	struct trace_record record;
	bool opens; /* a reference: page_alloc, page_get, or the page_kind of a page that boot found */
	size_t released_by; /* of one that opens: position, LEDGER_NONE: open */
	size_t releases;    /* of a put or free */
	uint32_t life;      /* 1, 2, ...; 0: before the first page_alloc */
};

struct ledger {
	struct ledger_entry *entries;
	size_t nr;
	uint32_t nr_lives;
};

/* records: of one page, in order. */
void ledger_make(struct ledger *ledger, const struct trace_record *records, size_t nr);
void ledger_free(struct ledger *ledger);
/* A reference that nothing released, though the page's life may be over. */
bool ledger_is_open(const struct ledger *ledger, size_t i);

#endif
