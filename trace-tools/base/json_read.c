/* SPDX-License-Identifier: MIT */
/* json_read: see json_read.h. */
#include "json_read.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#define DEPTH_MAX 32
#define VALUES_MAX 100000

struct reader {
	const char *at;
	uint32_t depth, nr_values;
};

static struct json_value *read_value(struct reader *reader);

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t\r\n");
}

static bool take(struct reader *reader, const char *word)
{
	size_t bytes = strlen(word);

	if (strncmp(reader->at, word, bytes))
		return false;
	reader->at += bytes;
	return true;
}

/* The character behind a backslash; U+FFFD for 0 and for half of a pair of \u; 0: there is no such escape. */
static uint32_t read_escape(struct reader *reader)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char digits[5] = "", *end;
	const char *found = *reader->at ? strchr(from, *reader->at) : NULL;

	if (found) {
		reader->at++;
		return (unsigned char)to[found - from];
	}
	if (*reader->at != 'u' || strnlen(reader->at, 5) < 5)
		return 0;
	memcpy(digits, reader->at + 1, 4);
	unsigned long code = strtoul(digits, &end, 16);
	reader->at += 5;
	return *end ? 0 : code && (code < 0xd800 || code > 0xdfff) ? (uint32_t)code : 0xfffd;
}

/* What stands between quotation marks; NULL: the text is no string. Caller frees. */
static char *read_string(struct reader *reader)
{
	if (!take(reader, "\""))
		return NULL;
	char *text = NULL;
	size_t used = 0, capacity = 0;

	while (*reader->at && *reader->at != '"') {
		uint32_t code;
		char c = *reader->at++;
		if (c != '\\') {
			ARRAY_PUSH(text, used, capacity) = c;
			continue;
		}
		if (!(code = read_escape(reader)))
			break;
		/* UTF-8 of what four hexadecimal digits can name. */
		if (code >= 0x800)
			ARRAY_PUSH(text, used, capacity) = (char)(0xe0 | code >> 12);
		if (code >= 0x80)
			ARRAY_PUSH(text, used, capacity) =
			    (char)(code >= 0x800 ? 0x80 | (code >> 6 & 0x3f) : 0xc0 | code >> 6);
		ARRAY_PUSH(text, used, capacity) = (char)(code >= 0x80 ? 0x80 | (code & 0x3f) : code);
	}
	if (!take(reader, "\"")) {
		free(text);
		return NULL;
	}
	ARRAY_PUSH(text, used, capacity) = 0;
	return text;
}

static bool read_number(struct reader *reader, struct json_value *value)
{
	size_t digits = strspn(reader->at, "0123456789"), all = strspn(reader->at, "+-.0123456789eE");

	if (!all)
		return false;
	value->type = JSON_NUMBER;
	value->whole = digits == all && digits <= 19;
	value->number = value->whole ? strtoull(reader->at, NULL, 10) : 0;
	reader->at += all;
	return true;
}

/* Members of an object or elements of an array, up to the closing bracket. */
static bool read_list(struct reader *reader, struct json_value *value, char close)
{
	struct json_value **link = &value->first;

	skip_blanks(reader);
	if (*reader->at == close) {
		reader->at++;
		return true;
	}
	for (;;) {
		char *key = NULL;
		skip_blanks(reader);
		if (value->type == JSON_OBJECT) {
			key = read_string(reader);
			skip_blanks(reader);
			if (!key || !take(reader, ":")) {
				free(key);
				return false;
			}
		}
		struct json_value *member = read_value(reader);
		if (!member) {
			free(key);
			return false;
		}
		member->key = key;
		*link = member;
		link = &member->next;
		skip_blanks(reader);
		char c = *reader->at;
		if (c != ',' && c != close)
			return false;
		reader->at++;
		if (c == close)
			return true;
	}
}

static bool read_into(struct reader *reader, struct json_value *value)
{
	if (take(reader, "{")) {
		value->type = JSON_OBJECT;
		return read_list(reader, value, '}');
	}
	if (take(reader, "[")) {
		value->type = JSON_ARRAY;
		return read_list(reader, value, ']');
	}
	if (*reader->at == '"') {
		value->type = JSON_STRING;
		value->text = read_string(reader);
		return value->text != NULL;
	}
	if (take(reader, "null"))
		return true;
	value->type = JSON_BOOL;
	value->number = take(reader, "true");
	return value->number || take(reader, "false") || read_number(reader, value);
}

static struct json_value *read_value(struct reader *reader)
{
	if (reader->depth == DEPTH_MAX || reader->nr_values++ == VALUES_MAX)
		return NULL;
	struct json_value *value = xcalloc(1, sizeof(*value));
	reader->depth++;
	skip_blanks(reader);
	bool good = read_into(reader, value);
	reader->depth--;
	if (good)
		return value;
	json_value_free(value);
	return NULL;
}

struct json_value *json_parse(const char *text)
{
	struct reader reader = {.at = text};
	struct json_value *value = read_value(&reader);

	skip_blanks(&reader);
	if (!*reader.at)
		return value;
	json_value_free(value);
	return NULL;
}

void json_value_free(struct json_value *value)
{
	while (value) {
		struct json_value *next = value->next;
		json_value_free(value->first);
		free(value->key);
		free(value->text);
		free(value);
		value = next;
	}
}

const struct json_value *json_get(const struct json_value *object, const char *key)
{
	const struct json_value *member = object && object->type == JSON_OBJECT ? object->first : NULL;

	while (member && strcmp(member->key, key))
		member = member->next;
	return member;
}

uint64_t json_get_number(const struct json_value *object, const char *key, uint64_t otherwise)
{
	const struct json_value *value = json_get(object, key);

	return value && value->type == JSON_NUMBER && value->whole ? value->number : otherwise;
}

const char *json_get_string(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_get(object, key);

	return value && value->type == JSON_STRING ? value->text : NULL;
}
