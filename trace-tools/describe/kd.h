/* SPDX-License-Identifier: MIT */
/*
 * kd: the description of a kernel that is not ours, as text that a person can read, edit and pass on.
 *
 * What allocates a page, where the counts are, what a process is: for the xv6 family `pagetrail describe` finds this in
 * the ELF file and prints it with reasons; for another kernel somebody writes it. One item a line:
 *
 *     alloc  kalloc                                   # returns void *, takes nothing, pops kmem.freelist
 *     free   kfree push=kfree                         # takes void *; stores the list's link into the page
 *     count  refs page=0x80000000+(i<<12)             # int[32768], which kalloc and kfree write
 *     maybe  list superpages.head                     # no function that is known to be a free pushes to it
 *
 * verb, for most verbs a subject, key=value in any order; a value with blanks stands in "…"; # begins a comment, which
 * here is the reason of the item and kept. `maybe` in front says that the item is a guess: it is used, and the run
 * must confirm it. What each verb takes is in one table, kd_verbs, from which errors, printing and the reference
 * (docs/KERNEL-DESCRIPTION.md) come; what names mean is looked up later, against an ELF file (hooks.h).
 */
#ifndef TOOLS_DESCRIBE_KD_H
#define TOOLS_DESCRIBE_KD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum kd_verb {
	KD_SYMBOLS,
	KD_RAM,
	KD_TEXT,
	KD_MAP,
	KD_HARTS,
	KD_STACK,
	KD_TRAP,
	KD_PID,
	KD_PAGES,
	KD_ALLOC,
	KD_FREE,
	KD_GET,
	KD_PUT,
	KD_OBJALLOC,
	KD_OBJFREE,
	KD_COUNT,
	KD_STATE,
	KD_LIST,
	KD_PROCS,
	KD_ROOT,
	KD_PTE,
	KD_TABLE,
	KD_WEAK,
	KD_SLAB,
	KD_CONSOLE,
	KD_MARK,
	KD_NR,
};

enum kd_value_kind {
	KD_EXPRESSION, /* as in C, over variables, registers and numbers */
	KD_FUNCTIONS,  /* names, with commas between */
	KD_MEMBERS,    /* paths of members, with commas between */
	KD_WORD,       /* one of some words */
	KD_REGEX,
	KD_FILE,
	KD_FLAG, /* the key alone */
};

struct kd_key {
	const char *name;
	enum kd_value_kind kind;
	const char *words; /* of KD_WORD: "va pa pfn struct" */
	bool needed;
	const char *help;
};

enum kd_subject { KD_NO_SUBJECT, KD_FUNCTION, KD_PLACE };

#define KD_KEYS_MAX 12

struct kd_verb_spec {
	const char *name;
	enum kd_subject subject;
	bool once; /* at most one item */
	const char *help;
	struct kd_key keys[KD_KEYS_MAX]; /* name NULL ends */
};

extern const struct kd_verb_spec kd_verbs[KD_NR];

struct kd_pair {
	const char *key; /* of the verb's table */
	char *value;     /* "" of a flag */
};

struct kd_item {
	enum kd_verb verb;
	bool maybe;
	char *subject; /* NULL: the verb has none */
	struct kd_pair pairs[KD_KEYS_MAX];
	size_t nr_pairs;
	char *why; /* the comment; NULL: none */
	size_t line;
};

struct kd {
	char *path;             /* where it was read, for messages; NULL: it was found */
	struct kd_item **items; /* each from the heap: pointers stay good */
	size_t nr_items, capacity;
	/* Comments that stand alone: what was looked for and not found. */
	char **notes;
	size_t nr_notes, notes_capacity;
};

struct kd *kd_new(void);
void kd_free(struct kd *kd);
/* NULL and "FILE:LINE: what was expected" in *error (caller frees). */
struct kd *kd_parse(const char *path, const char *text, char **error);
struct kd *kd_read(const char *path, char **error);
/* In canonical form: verbs in the order of the enumeration, reasons in a column. Reads back as the same. */
void kd_print(const struct kd *kd, FILE *out);

/* A new item at the end. why may be NULL. */
struct kd_item *kd_add(struct kd *kd, enum kd_verb verb, const char *subject, const char *why, ...)
    __attribute__((format(printf, 4, 5)));
/* key must be one of the verb's. */
void kd_set(struct kd_item *item, const char *key, const char *value, ...)
    __attribute__((format(printf, 3, 4)));
/* No item of this verb any more. */
void kd_drop(struct kd *kd, enum kd_verb verb);
void kd_note(struct kd *kd, const char *text, ...) __attribute__((format(printf, 2, 3)));

/* The n-th item of a verb; NULL: there are not so many. */
const struct kd_item *kd_item(const struct kd *kd, enum kd_verb verb, size_t n);
/* NULL: not said. */
const char *kd_get(const struct kd_item *item, const char *key);
/* The n-th of names with commas between, from the heap; NULL: there are not so many. */
char *kd_nth(const char *list, size_t n);
/* "alloc kalloc" with "FILE:LINE: " in front where it was read, for messages; caller frees. */
char *kd_where(const struct kd *kd, const struct kd_item *item);

#endif
