/* SPDX-License-Identifier: MIT */
/*
 * json_read: the few values that the tools read back from a JSON file of their own (run.json).
 *
 * The text becomes a tree; a member that is not there, or is of another type, gives the caller's default. Depth and number of
 * values are bounded, so that a damaged file costs neither stack nor memory.
 *
 *   struct json_value *about = json_parse(text);
 *   uint64_t events = json_get_number(about, "events", 0);
 *   json_value_free(about);
 */
#ifndef TOOLS_BASE_JSON_READ_H
#define TOOLS_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_type type;
	char *key;       /* of a member; NULL in an array */
	uint64_t number; /* a whole number; true is 1. A negative one or a fraction: whole is false */
	bool whole;
	char *text;                      /* JSON_STRING */
	struct json_value *first, *next; /* members or elements, in order */
};

/* NULL: it is no JSON, or too deep, or has too many values. */
struct json_value *json_parse(const char *text);
void json_value_free(struct json_value *value);

/* NULL: `object` is NULL or no object, or has no such member. */
const struct json_value *json_get(const struct json_value *object, const char *key);
uint64_t json_get_number(const struct json_value *object, const char *key, uint64_t otherwise);
/* NULL: no such member, or it is no string. Lives as long as the value. */
const char *json_get_string(const struct json_value *object, const char *key);

#endif
