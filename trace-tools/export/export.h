/* SPDX-License-Identifier: MIT */
/*
 * export: a run in the formats of other programs. Each function writes one format; the caller has replayed the run.
 *
 *   collapsed   "outer;...;inner N", one line a stack: flamegraph.pl, inferno, speedscope
 *   speedscope  https://www.speedscope.app/file-format-schema.json: sampled profiles, outermost frame first
 *   csv         one line an event, one column a field of any event
 *   sqlite      tables events, stacks, frames, findings, tests, meta
 *   perfetto    protos/perfetto/trace: TracePacket with TrackEvent, TrackDescriptor
 */
#ifndef TOOLS_EXPORT_EXPORT_H
#define TOOLS_EXPORT_EXPORT_H

#include "analysis/leaks.h"
#include "replay/curve.h"

/* What a stack weighs: pages it holds at the end, most it ever held, or times it took some. */
enum export_weight { WEIGHT_LIVE, WEIGHT_PEAK, WEIGHT_TOTAL, WEIGHT_NR };

void export_collapsed(const struct model *model, struct stack_table *stacks, enum export_weight weight,
		      FILE *out);
/* name: of the file, shown by the viewer. */
void export_speedscope(const struct model *model, struct stack_table *stacks, const char *name, FILE *out);
/* Reads the run by itself: needs no model. */
void export_csv(struct run *run, struct stack_table *stacks, FILE *out);
/* Makes the data base at path, which must not be there. NULL, or what went wrong (caller frees). */
char *export_sqlite(struct run *run, struct leaks *leaks, const char *path);
void export_perfetto(const struct leaks *leaks, const struct curve *curve, FILE *out);

/* ---- columns: every field name that some event has, once; for csv and sqlite ---- */

#define COLUMNS_MAX 48

struct columns {
	const char *names[COLUMNS_MAX];
	bool text[COLUMNS_MAX];
	uint32_t nr;
	uint8_t column_of[EVENT_ID_MAX][FIELDS_MAX]; /* of each event's fields */
};
void columns_make(struct columns *columns);
/* A number field's value; the text of a text field goes into text (17 bytes), printable. */
uint64_t column_value(const struct trace_record *record, const struct field_info *field, char *text);

#endif
