/* SPDX-License-Identifier: MIT */
/* leaked_sites: see leaked_sites.h. */
#include "leaked_sites.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define SITES_TOLD 4 /* the sentence stays one that is read */

static char *name_of(struct stack_table *stacks, uint32_t id)
{
	const struct stack_view *view = stack_table_get(stacks, id);
	char place[256] = "";

	if (view->site < view->nr)
		frame_place(&view->frames[view->site], place, sizeof(place));
	return xasprintf("%s()%s%s%s", stack_table_function(stacks, id), *place ? " (" : "", place,
			 *place ? ")" : "");
}

static uint64_t pages_at(const struct leaked_sites *sites, const char *name)
{
	for (size_t i = 0; i < sites->nr; i++) {
		if (!strcmp(sites->all[i].name, name))
			return sites->all[i].nr_pages;
	}
	return 0;
}

/* Takes the name. */
static void add(struct leaked_sites *sites, char *name, uint64_t nr_pages)
{
	for (size_t i = 0; i < sites->nr; i++) {
		if (strcmp(sites->all[i].name, name))
			continue;
		sites->all[i].nr_pages += nr_pages;
		free(name);
		return;
	}
	ARRAY_PUSH(sites->all, sites->nr, sites->capacity) = (struct leaked_site){name, nr_pages};
}

struct leaked_sites leaked_sites_take(const struct leaks *leaks)
{
	struct leaked_sites sites = {0};

	for (size_t i = 0; i < leaks->nr_items; i++) {
		const struct leak_item *item = &leaks->items[i];
		if (!item->object)
			add(&sites, name_of(leaks->stacks, item->alloc_stack), 1ULL << item->order);
	}
	return sites;
}

void leaked_sites_free(struct leaked_sites *sites)
{
	for (size_t i = 0; i < sites->nr; i++)
		free(sites->all[i].name);
	free(sites->all);
	*sites = (struct leaked_sites){0};
}

static void put_pages(FILE *out, uint64_t nr)
{
	if (nr)
		fprintf(out, "%" PRIu64 " %s", nr, plural(nr, "page", "pages"));
	else
		fputs("none", out);
}

/* One site that differs; only the first SITES_TOLD are named. */
static void tell(FILE *out, size_t nr_told, const char *name, uint64_t recorded, uint64_t now)
{
	if (nr_told >= SITES_TOLD)
		return;
	fprintf(out, "%s %s ", nr_told ? ";" : "", name);
	put_pages(out, recorded);
	fputs(" recorded, ", out);
	put_pages(out, now);
	fputs(" now", out);
}

char *leaked_sites_differ(const struct leaked_sites *recorded, const struct leaked_sites *now)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);
	size_t nr = 0;

	fputs("the two runs did not leak the same:", out);
	for (size_t i = 0; i < recorded->nr; i++) {
		const struct leaked_site *site = &recorded->all[i];
		if (site->nr_pages != pages_at(now, site->name))
			tell(out, nr++, site->name, site->nr_pages, pages_at(now, site->name));
	}
	for (size_t i = 0; i < now->nr; i++) {
		if (!pages_at(recorded, now->all[i].name))
			tell(out, nr++, now->all[i].name, 0, now->all[i].nr_pages);
	}
	if (nr > SITES_TOLD)
		fprintf(out, "; and %zu more call %s", nr - SITES_TOLD,
			plural(nr - SITES_TOLD, "site", "sites"));
	char *text = text_end(&buffer);
	if (nr)
		return text;
	free(text);
	return NULL;
}
