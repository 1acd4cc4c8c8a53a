/* SPDX-License-Identifier: MIT */
/* leak_point_file: see leak_point_file.h. */
#include "leak_point_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define FILE_BYTES_MAX (1ULL << 30)

/* Position of a word in a list that NULL ends; -1 where it is not there. */
static int position(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], word))
			return i;
	}
	return -1;
}

static uint32_t read_addresses(const char *text, uint64_t stack[LIFE_FRAMES])
{
	uint32_t nr = 0;
	char *end;

	for (uint64_t value; nr < LIFE_FRAMES; text = end) {
		value = strtoull(text, &end, 16);
		if (end == text)
			break;
		stack[nr++] = value;
	}
	return nr;
}

static bool read_life(struct life *life, const char *text)
{
	static const char *const kinds[] = {"page", "object", "reference", "objref", NULL};
	char kind[16];

	*life = (struct life){0};
	if (sscanf(text,
		   "life %15s %" SCNx64 " bytes %" SCNu64 " pfn %" SCNx64 " ref %" SCNu64 " holder %" SCNu64
		   " nth %" SCNu64 " heap %u outside %u frames %u kept %" SCNu64,
		   kind, &life->base, &life->bytes, &life->pfn, &life->ref, &life->holder, &life->nth,
		   &life->nr_heap, &life->nr_outside, &life->nr_frames, &life->kept) != 11)
		return false;
	int found = position(kinds, kind);
	life->kind = (enum life_kind)(found < 0 ? 0 : found);
	return found >= 0;
}

static bool read_end(struct life_end *end, const char *text)
{
	static const char *const by[] = {"not", "overwritten", "freed", "popped", "trap", "stack", NULL};
	char how[16];
	int at = 0;

	if (sscanf(text, "%*s %15s %" SCNx64 " where %" SCNx64 " when %" SCNu64 " stack%n", how, &end->pc,
		   &end->where, &end->when, &at) != 4 ||
	    !at)
		return false;
	int found = position(by, how);
	end->by = (enum life_lost)(found < 0 ? 0 : found);
	end->nr = read_addresses(text + at, end->stack);
	return found >= 0;
}

static bool read_given(struct life *life, const char *text)
{
	struct life_given *given = &life->given[life->nr_given];
	int handled;

	if (life->nr_given == LIFE_GIVEN ||
	    sscanf(text, "given %" SCNx64 " from %" SCNx64 " argument %u handled %d when %" SCNu64,
		   &given->function, &given->from, &given->argument, &handled, &given->when) != 5 ||
	    handled < 0 || handled > HANDLED_WITHIN)
		return false;
	given->handled = (enum life_handled)handled;
	life->nr_given++;
	return true;
}

static bool read_held(struct life *life, const char *text)
{
	struct life_held *held = &life->held[life->nr_held];

	if (life->nr_held == LIFE_HELD ||
	    sscanf(text, "held %" SCNx64 " by %" SCNx64 " in %" SCNx64, &held->va, &held->by, &held->in) != 3)
		return false;
	life->nr_held++;
	return true;
}

static bool read_act(const char *text, struct page_act *acts, uint32_t *nr, uint32_t most)
{
	struct page_act act = {0};
	int at = 0;

	if (*nr == most ||
	    sscanf(text, "%*s %" SCNx64 " by %" SCNx64 " stack%n", &act.va, &act.pc, &at) != 2 || !at)
		return false;
	act.nr = read_addresses(text + at, act.stack);
	acts[(*nr)++] = act;
	return true;
}

/* A page or object that was freed, or one line about the last one. */
static bool read_freed(struct lives *lives, const char *line)
{
	struct freed_range one = {0}, *page = lives->nr_freed ? &lives->freed[lives->nr_freed - 1] : NULL;
	char kind[8];

	if (sscanf(line, "freed %7s %" SCNx64 " bytes %" SCNu64 " nth %" SCNu64, kind, &one.pa, &one.bytes,
		   &one.nth) == 4) {
		one.object = !strcmp(kind, "object");
		ARRAY_PUSH(lives->freed, lives->nr_freed, lives->freed_capacity) = one;
		return true;
	}
	if (!page)
		return false;
	if (!strncmp(line, "by ", 3))
		return read_act(line, &page->by, &page->nr_by, 1);
	if (!strncmp(line, "dangling ", 9))
		return read_act(line, page->dangling, &page->nr_dangling, FREED_DANGLING);
	if (!strncmp(line, "before ", 7))
		return read_act(line, &page->before, &page->nr_before, 1);
	if (!strncmp(line, "since ", 6))
		return read_act(line, page->since, &page->nr_since, FREED_DANGLING);
	if (!strncmp(line, "used ", 5))
		return read_act(line, page->used, &page->nr_used, FREED_ACTS);
	return !strncmp(line, "again ", 6) && read_act(line, page->again, &page->nr_again, FREED_ACTS);
}

/* One line about the last life. */
static bool read_line(struct lives *lives, const char *line)
{
	struct life *life = lives->nr ? &lives->list[lives->nr - 1] : NULL;

	if (!strncmp(line, "life ", 5))
		return read_life(&ARRAY_PUSH(lives->list, lives->nr, lives->capacity), line);
	if (lives->nr_freed || !strncmp(line, "freed ", 6))
		return read_freed(lives, line);
	if (!life)
		return !strchr(line, '-') && sscanf(line, "lost of %" SCNu64, &lives->of) == 1;
	if (!strncmp(line, "born", 4)) {
		life->nr_born = read_addresses(line + 4, life->born);
		return true;
	}
	if (!strncmp(line, "location ", 9))
		return read_end(&life->location, line);
	if (!strncmp(line, "frame ", 6))
		return read_end(&life->frame, line);
	return !strncmp(line, "given ", 6) ? read_given(life, line) : read_held(life, line);
}

bool lives_read(struct lives *lives, const char *path, char **error)
{
	const char *fault = NULL;
	char *text = file_read_regular(path, FILE_BYTES_MAX, NULL, &fault), *rest = text, *line;
	size_t row = 0, nr;
	uint64_t blind = 0;
	bool whole = false;

	*lives = (struct lives){0};
	*error = text ? NULL : xasprintf("%s: %s", path, fault);
	while (text && !whole && !*error && (line = strsep(&rest, "\n")) && *line) {
		row++;
		if (sscanf(line, "end %zu blind %" SCNu64, &nr, &blind) == 2)
			whole = nr == lives->nr;
		else if (!read_line(lives, line))
			*error = xasprintf("%s:%zu: not understood: %s", path, row, line);
	}
	if (!whole && !*error)
		*error = xasprintf("%s: it is cut off", path);
	if (blind && !*error)
		*error = xasprintf(
		    "this QEMU keeps its registers where the plugin does not find them: nothing can be "
		    "followed. Debian's does not (qemu-system-misc)");
	free(text);
	if (*error)
		lives_free(lives);
	return !*error;
}

void lives_free(struct lives *lives)
{
	free(lives->list);
	free(lives->freed);
	*lives = (struct lives){0};
}
