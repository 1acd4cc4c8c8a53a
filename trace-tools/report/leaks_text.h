/* SPDX-License-Identifier: MIT */
/* leaks_text: the leak report in words and as JSON; leaks_print.c, leaks_head.c and leaks_json.c write it. */
#ifndef TOOLS_REPORT_LEAKS_TEXT_H
#define TOOLS_REPORT_LEAKS_TEXT_H

#include <stdio.h>

#include "analysis/leaks.h"
#include "base/json.h"

void leaks_print(const struct leaks *leaks, bool all, FILE *out);
void leaks_print_head(const struct leaks *leaks, FILE *out);
/* Parts of the same text: of the whole report, and from PART_WHAT on of one group. */
enum leaks_part { PART_HEAD, PART_REST, PART_WHAT, PART_FACTS, PART_MISSING, PART_LIFE };
void leaks_print_part(const struct leaks *leaks, enum leaks_part part, size_t group, FILE *out);
/* "lookup() acquires a page-cache reference at file.c:1 and never releases it" */
void leaks_what_happened(const struct leaks *leaks, const struct leak_group *group, FILE *out);
/* "9 of 9 other references acquired on the same path were released by put()": what the suspicion rests on. */
void leaks_evidence(const struct leaks *leaks, const struct leak_group *group, FILE *out);
char *leaks_evidence_text(const struct leaks *leaks, const struct leak_group *group); /* caller frees */
/*
 * "LIKELY: rule same-path named the right function in 13 of 19 known mistakes": what the confidence in a suspect rests on is what was
 * measured, not what was made of it.
 */
void leaks_confidence(const struct missing_release *missing, FILE *out);
/* "pages allocated by record_alloc() went from 12 (before test fork) to 36: ..." */
void growth_print(const struct leaks *leaks, const struct growth_item *item, FILE *out);
void leaks_print_json(const struct leaks *leaks, FILE *out);
/* "no leaks" */
const char *leaks_verdict(int status);
/* What "no leaks" is not about: " except the suppressed ones", " in what was asked for"; "": it is about all. */
const char *leaks_verdict_scope(const struct leaks *leaks);
/* A line each for what the query leaves out, and what is suppressed; nothing where nothing is. Caller frees. */
char *leaks_left_out_text(const struct leaks *leaks);

/* "put() calls inode_free() on 1 fewer line than in the baseline" */
void suspect_code_text(const struct missing_release *missing, FILE *out);
/* What the run ended in that is no leak (end_text.c), and its suspect: a sentence, what it rests on, and all of it. */
void end_sentence(const struct leaks *leaks, FILE *out);
void end_evidence(const struct leaks *leaks, FILE *out);
void end_print(const struct leaks *leaks, FILE *out);
/* Who, where, by which rule and how far that is known: members of an open object. */
void suspect_print_json(struct json *json, const struct missing_release *missing);
void end_print_json(struct json *json, const struct leaks *leaks);
/* "on the stack of the panic" */
const char *end_trail_text(const struct leaks *leaks, enum end_trail trail);

/* The function that released in the baseline, by its node there. */
const char *leaks_baseline_function(const struct leaks *leaks, uint32_t put);

#endif
