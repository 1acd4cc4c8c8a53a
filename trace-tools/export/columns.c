/* SPDX-License-Identifier: MIT */
/* columns: the fields of all events as columns of one wide table. See export.h. */
#include <string.h>

#include "base/util.h"
#include "export.h"

static uint32_t column_find(struct columns *columns, const struct field_info *field)
{
	uint32_t i = 0;

	while (i < columns->nr && strcmp(columns->names[i], field->name))
		i++;
	if (i == COLUMNS_MAX)
		die("internal: more than %u field names", COLUMNS_MAX);
	if (i == columns->nr) {
		columns->names[columns->nr++] = field->name;
		columns->text[i] = field->text;
	}
	return i;
}

void columns_make(struct columns *columns)
{
	memset(columns, 0, sizeof(*columns));
	for (uint32_t id = 0; id < EVENT_ID_MAX; id++) {
		const struct event_info *event = event_info(id);
		for (uint32_t i = 0; event && i < event->nr_fields; i++)
			columns->column_of[id][i] = (uint8_t)column_find(columns, &event->fields[i]);
	}
}

uint64_t column_value(const struct trace_record *record, const struct field_info *field, char *text)
{
	const uint8_t *at = record->payload.bytes + field->offset;
	uint32_t word;
	uint16_t half;

	if (field->text) {
		uint32_t i = 0;
		for (; i < field->bytes && at[i]; i++)
			text[i] = at[i] >= 32 && at[i] < 127 ? (char)at[i] : '?';
		text[i] = 0;
		return 0;
	}
	if (field->bytes == 2) {
		memcpy(&half, at, 2);
		return half;
	}
	memcpy(&word, at, 4);
	return word;
}
