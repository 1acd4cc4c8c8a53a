/* ledger: see ledger.h. */
#include "ledger.h"

#include <stdlib.h>

#include "base/util.h"

/* Entries of the current life that wait for their other half, oldest first. */
struct waiting {
	size_t *list;
	size_t nr;
};

static bool same_name(const struct trace_record *a, const struct trace_record *b)
{
	return a->kind == b->kind &&
	       a->payload.ev_payload_page_get.holder == b->payload.ev_payload_page_get.holder &&
	       a->payload.ev_payload_page_get.index == b->payload.ev_payload_page_get.index;
}

bool ledger_opens(const struct trace_record *record)
{
	return record->event == EV_page_alloc || record->event == EV_page_get;
}

bool ledger_is_open(const struct ledger *ledger, size_t i)
{
	return ledger_opens(&ledger->entries[i].record) && ledger->entries[i].settled_by == LEDGER_NONE;
}

/* Takes the newest waiting entry of this name off the list; LEDGER_NONE: there is none. */
static size_t take_waiting(const struct ledger *ledger, struct waiting *waiting,
			   const struct trace_record *record)
{
	for (size_t k = waiting->nr; k-- > 0;) {
		size_t found = waiting->list[k];
		if (!same_name(&ledger->entries[found].record, record))
			continue;
		waiting->nr--;
		for (; k < waiting->nr; k++)
			waiting->list[k] = waiting->list[k + 1];
		return found;
	}
	return LEDGER_NONE;
}

static void settle(struct ledger *ledger, size_t get, size_t put)
{
	ledger->entries[get].settled_by = put;
	ledger->entries[put].settles = get;
}

void ledger_make(struct ledger *ledger, const struct trace_record *records, size_t nr)
{
	struct waiting gets = {.list = xcalloc(nr, sizeof(size_t))},
		       puts = {.list = xcalloc(nr, sizeof(size_t))};

	*ledger = (struct ledger){.entries = xcalloc(nr, sizeof(*ledger->entries)), .nr = nr};
	for (size_t i = 0; i < nr; i++) {
		struct ledger_entry *entry = &ledger->entries[i];
		size_t other = LEDGER_NONE;
		if (records[i].event == EV_page_alloc) {
			ledger->nr_lives++;
			gets.nr = puts.nr = 0;
		}
		*entry = (struct ledger_entry){
		    .record = records[i], .settled_by = other, .settles = other, .life = ledger->nr_lives};
		if (records[i].event == EV_page_get)
			other = take_waiting(ledger, &puts, &records[i]);
		if (other != LEDGER_NONE)
			settle(ledger, i, other);
		else if (ledger_opens(&records[i]))
			gets.list[gets.nr++] = i;
		if (records[i].event != EV_page_put && records[i].event != EV_page_free)
			continue;
		other = take_waiting(ledger, &gets, &records[i]);
		if (other != LEDGER_NONE)
			settle(ledger, other, i);
		else if (records[i].event == EV_page_put)
			puts.list[puts.nr++] = i;
		if (records[i].event == EV_page_free)
			gets.nr = puts.nr = 0;
	}
	free(gets.list);
	free(puts.list);
}

void ledger_free(struct ledger *ledger)
{
	free(ledger->entries);
	*ledger = (struct ledger){0};
}
