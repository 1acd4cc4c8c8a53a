/* SPDX-License-Identifier: MIT */
/* json: writing it, indented, one member a line, with everything quoted that must be. */
#ifndef TOOLS_BASE_JSON_H
#define TOOLS_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Grows when a member goes or changes its meaning; members may be added without. */
#define JSON_VERSION 2

struct json {
	FILE *out;
	int depth;
	bool first; /* of the open object or array */
};

/* key NULL inside an array and for the outermost value. */
void json_begin(struct json *json, FILE *out); /* the outermost object */
/*
 * The same for what `pagetrail COMMAND --json` says, with the members that all have: command, version (of the forms,
 * JSON_VERSION), verdict. NULL: that is known later, and the caller writes it. docs/JSON.md tells the rest.
 */
void json_begin_command(struct json *json, FILE *out, const char *command, const char *verdict);
void json_end(struct json *json);
void json_open(struct json *json, const char *key, char bracket);        /* '{' or '[' */
void json_close(struct json *json, char bracket);                        /* '}' or ']' */
void json_string(struct json *json, const char *key, const char *value); /* NULL: null */
void json_int(struct json *json, const char *key, int64_t value);
void json_real(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
