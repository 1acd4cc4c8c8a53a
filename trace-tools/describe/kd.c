/* SPDX-License-Identifier: MIT */
/* kd: descriptions in memory, and their canonical text; see kd.h. */
#include "kd.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Reasons begin here, where the item is shorter. */
#define WHY_COLUMN 56

static char *formatted(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		die("out of memory");
	return text;
}

struct kd *kd_new(void)
{
	return xcalloc(1, sizeof(struct kd));
}

static void item_free(struct kd_item *item)
{
	for (size_t k = 0; k < item->nr_pairs; k++)
		free(item->pairs[k].value);
	free(item->subject);
	free(item->why);
	free(item);
}

void kd_free(struct kd *kd)
{
	if (!kd)
		return;
	for (size_t i = 0; i < kd->nr_items; i++)
		item_free(kd->items[i]);
	for (size_t i = 0; i < kd->nr_notes; i++)
		free(kd->notes[i]);
	free(kd->notes);
	free(kd->items);
	free(kd->path);
	free(kd);
}

void kd_drop(struct kd *kd, enum kd_verb verb)
{
	size_t kept = 0;

	for (size_t i = 0; i < kd->nr_items; i++) {
		if (kd->items[i]->verb == verb)
			item_free(kd->items[i]);
		else
			kd->items[kept++] = kd->items[i];
	}
	kd->nr_items = kept;
}

struct kd_item *kd_add(struct kd *kd, enum kd_verb verb, const char *subject, const char *why, ...)
{
	struct kd_item *item = xcalloc(1, sizeof(*item));
	va_list ap;

	item->verb = verb;
	item->subject = subject ? xstrdup(subject) : NULL;
	va_start(ap, why);
	item->why = why ? formatted(why, ap) : NULL;
	va_end(ap);
	ARRAY_PUSH(kd->items, kd->nr_items, kd->capacity) = item;
	return item;
}

void kd_set(struct kd_item *item, const char *key, const char *value, ...)
{
	const struct kd_key *keys = kd_verbs[item->verb].keys;
	va_list ap;
	size_t i = 0, at = 0;

	va_start(ap, value);
	char *text = formatted(value, ap);
	va_end(ap);
	while (i < KD_KEYS_MAX && keys[i].name && strcmp(keys[i].name, key))
		i++;
	if (i == KD_KEYS_MAX || !keys[i].name)
		die("internal: %s has no key %s", kd_verbs[item->verb].name, key);
	while (at < item->nr_pairs && item->pairs[at].key != keys[i].name)
		at++;
	if (at == item->nr_pairs)
		item->nr_pairs++;
	else
		free(item->pairs[at].value);
	item->pairs[at] = (struct kd_pair){keys[i].name, text};
}

void kd_note(struct kd *kd, const char *text, ...)
{
	va_list ap;

	va_start(ap, text);
	ARRAY_PUSH(kd->notes, kd->nr_notes, kd->notes_capacity) = formatted(text, ap);
	va_end(ap);
}

const struct kd_item *kd_item(const struct kd *kd, enum kd_verb verb, size_t n)
{
	for (size_t i = 0; i < kd->nr_items; i++) {
		if (kd->items[i]->verb == verb && n-- == 0)
			return kd->items[i];
	}
	return NULL;
}

const char *kd_get(const struct kd_item *item, const char *key)
{
	for (size_t i = 0; i < item->nr_pairs; i++) {
		if (!strcmp(item->pairs[i].key, key))
			return item->pairs[i].value;
	}
	return NULL;
}

char *kd_nth(const char *list, size_t n)
{
	while (list && *list) {
		size_t bytes = strcspn(list, ",");
		if (n-- == 0)
			return xasprintf("%.*s", (int)bytes, list);
		list += bytes + (list[bytes] == ',');
	}
	return NULL;
}

char *kd_where(const struct kd *kd, const struct kd_item *item)
{
	const char *blank = item->subject ? " " : "", *subject = item->subject ? item->subject : "";

	if (kd->path)
		return xasprintf("%s:%zu: %s%s%s", kd->path, item->line, kd_verbs[item->verb].name, blank,
				 subject);
	return xasprintf("%s%s%s", kd_verbs[item->verb].name, blank, subject);
}

/* ---- printing ---- */

/* A value with a blank, # or quote in it stands in quotes, with \ in front of \ and ". */
static int print_value(FILE *out, const char *value)
{
	int written = 0;

	if (*value && !strpbrk(value, " \t#\"\\"))
		return fprintf(out, "%s", value);
	fputc('"', out);
	for (; *value; value++, written++) {
		if (*value == '"' || *value == '\\')
			written += fputc('\\', out) != EOF;
		fputc(*value, out);
	}
	fputc('"', out);
	return written + 2;
}

static void print_item(const struct kd_item *item, FILE *out)
{
	int column = fprintf(out, "%s%s", item->maybe ? "maybe " : "", kd_verbs[item->verb].name);

	if (item->subject)
		column += fprintf(out, " ") + print_value(out, item->subject);
	/* In the order of the table, whatever order they were given in. */
	for (const struct kd_key *key = kd_verbs[item->verb].keys;
	     key < kd_verbs[item->verb].keys + KD_KEYS_MAX && key->name; key++) {
		const char *value = kd_get(item, key->name);
		if (!value)
			continue;
		column += fprintf(out, " %s", key->name);
		if (key->kind != KD_FLAG)
			column += fprintf(out, "=") + print_value(out, value);
	}
	if (item->why)
		fprintf(out, "%*s# %s", column < WHY_COLUMN - 1 ? WHY_COLUMN - column : 1, "", item->why);
	fputc('\n', out);
}

void kd_print(const struct kd *kd, FILE *out)
{
	for (enum kd_verb verb = 0; verb < KD_NR; verb++) {
		const struct kd_item *item;
		for (size_t n = 0; (item = kd_item(kd, verb, n)); n++)
			print_item(item, out);
	}
	for (size_t i = 0; i < kd->nr_notes; i++)
		fprintf(out, "# %s\n", kd->notes[i]);
}
