/* SPDX-License-Identifier: MIT */
/* ledger: see ledger.h. */
#include "ledger.h"

#include <stdlib.h>

#include "pairing.h"

bool ledger_is_open(const struct ledger *ledger, size_t i)
{
	return ledger->entries[i].opens && ledger->entries[i].released_by == LEDGER_NONE;
}

static void link_pair(struct ledger *ledger, size_t get, size_t put)
{
	ledger->entries[get].released_by = put;
	ledger->entries[put].releases = get;
}

void ledger_make(struct ledger *ledger, const struct trace_record *records, size_t nr)
{
	struct ref_pool pool = {0};
	size_t *position = xcalloc(nr + 1, sizeof(*position)); /* of who is in the pool, by number */
	uint32_t list = REF_POOL_NONE, get, put;
	uint8_t life = LIFE_UNKNOWN;

	*ledger = (struct ledger){.entries = xcalloc(nr, sizeof(*ledger->entries)), .nr = nr};
	for (size_t i = 0; i < nr; i++) {
		struct ledger_entry *entry = &ledger->entries[i];
		ledger->nr_lives += records[i].event == EV_page_alloc;
		*entry = (struct ledger_entry){.record = records[i],
					       .released_by = LEDGER_NONE,
					       .releases = LEDGER_NONE,
					       .life = ledger->nr_lives};
		struct pairing done = pairing_apply(&pool, &list, &life, &records[i]);
		refs_drop(&pool, &done.rest);
		bool closes = records[i].event == EV_page_put || records[i].event == EV_page_free;
		entry->opens = !closes && (done.opened || done.other);
		if (done.opened)
			position[done.opened] = i;
		if (done.other && closes)
			link_pair(ledger, position[done.other], i);
		else if (done.other)
			link_pair(ledger, i, position[done.other]);
	}
	while (pairing_rest(&pool, &list, &get, &put)) {
		if (get)
			link_pair(ledger, position[get], position[put]);
	}
	free(pool.refs);
	free(position);
}

void ledger_free(struct ledger *ledger)
{
	free(ledger->entries);
	*ledger = (struct ledger){0};
}
