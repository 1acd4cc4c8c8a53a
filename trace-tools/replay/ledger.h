/*
 * ledger: one page's life as double-entry book-keeping: each get with the put that settled it.
 *
 * page_alloc and page_get open an entry (ref, holder, index); page_put settles the newest open one of the same name, or,
 * where the put was recorded first (two harts, a tick apart), the get that follows. page_free settles what is open
 * under its name, and ends a life; the next page_alloc begins another.
 *
 * LEDGER-1  settled_by[settles[i]] == i wherever settles[i] is an entry: each act settles one other at most.
 */
#ifndef TOOLS_REPLAY_LEDGER_H
#define TOOLS_REPLAY_LEDGER_H

#include "ctf/format.h"

#define LEDGER_NONE SIZE_MAX

struct ledger_entry {
	struct trace_record record;
	size_t settled_by; /* of an opening entry: position, LEDGER_NONE: open */
	size_t settles;    /* of a closing one */
	uint32_t life;     /* 1, 2, ...; 0: before the first page_alloc */
};

struct ledger {
	struct ledger_entry *entries;
	size_t nr;
	uint32_t nr_lives;
};

/* records: of one page, in order. */
void ledger_make(struct ledger *ledger, const struct trace_record *records, size_t nr);
void ledger_free(struct ledger *ledger);
bool ledger_opens(const struct trace_record *record);
/* An opening entry that nothing settled, though its life may be over. */
bool ledger_is_open(const struct ledger *ledger, size_t i);

#endif
