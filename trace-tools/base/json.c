/* SPDX-License-Identifier: MIT */
/* json: see json.h. */
#include "json.h"

#include "text.h"

/* What is no UTF-8 becomes U+FFFD: names come from guests, and JSON must be text. */
static void quote(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text) {
		unsigned char c = (unsigned char)*text;
		size_t bytes = utf8_bytes(text);
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 32 || c == 127)
			fprintf(out, "\\u%04x", c);
		else if (!bytes)
			fputs("\\ufffd", out);
		else
			fwrite(text, 1, bytes, out);
		text += bytes ? bytes : 1;
	}
	fputc('"', out);
}

static void member(struct json *json, const char *key)
{
	if (!json->first)
		fputc(',', json->out);
	json->first = false;
	fputc('\n', json->out);
	for (int i = 0; i < json->depth; i++)
		fputs("  ", json->out);
	if (key) {
		quote(json->out, key);
		fputs(": ", json->out);
	}
}

void json_begin(struct json *json, FILE *out)
{
	*json = (struct json){.out = out, .depth = 1, .first = true};
	fputc('{', out);
}

void json_begin_command(struct json *json, FILE *out, const char *command, const char *verdict)
{
	json_begin(json, out);
	json_string(json, "command", command);
	json_int(json, "version", JSON_VERSION);
	if (verdict)
		json_string(json, "verdict", verdict);
}

void json_end(struct json *json)
{
	fputs("\n}\n", json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
	member(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->first = true;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	if (!json->first) {
		fputc('\n', json->out);
		for (int i = 0; i < json->depth; i++)
			fputs("  ", json->out);
	}
	fputc(bracket, json->out);
	json->first = false;
}

void json_string(struct json *json, const char *key, const char *value)
{
	if (!value) {
		json_null(json, key);
		return;
	}
	member(json, key);
	quote(json->out, value);
}

void json_int(struct json *json, const char *key, int64_t value)
{
	member(json, key);
	fprintf(json->out, "%lld", (long long)value);
}

void json_real(struct json *json, const char *key, double value)
{
	member(json, key);
	fprintf(json->out, "%.7f", value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	member(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	member(json, key);
	fputs("null", json->out);
}
