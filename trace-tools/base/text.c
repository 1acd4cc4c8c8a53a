/* SPDX-License-Identifier: MIT */
/* text: see text.h. */
#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util.h"

FILE *text_begin(struct text_buffer *buffer)
{
	*buffer = (struct text_buffer){0};
	buffer->out = open_memstream(&buffer->text, &buffer->bytes);
	if (!buffer->out)
		die("out of memory");
	return buffer->out;
}

char *text_end(struct text_buffer *buffer)
{
	if (fclose(buffer->out))
		die("out of memory");
	return buffer->text;
}

size_t utf8_bytes(const char *text)
{
	/* RFC 3629, section 4: first byte, second byte, how many. All further ones are 0x80 to 0xbf. */
	static const struct {
		unsigned char low, high, second_low, second_high, bytes;
	} forms[] = {
	    {0x01, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	const unsigned char *c = (const unsigned char *)text;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (c[0] < forms[i].low || c[0] > forms[i].high)
			continue;
		if (forms[i].bytes > 1 && (c[1] < forms[i].second_low || c[1] > forms[i].second_high))
			return 0;
		for (size_t k = 2; k < forms[i].bytes; k++) {
			if ((c[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].bytes;
	}
	return 0;
}

/* The character's own name in markup, "" for one that may not be there; NULL: as it is. */
static const char *markup_name(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return c < 32 && c != '\n' && c != '\t' ? "" : NULL;
	}
}

void markup_text(FILE *out, const char *text)
{
	while (*text) {
		const char *name = markup_name((unsigned char)*text);
		size_t bytes = utf8_bytes(text);
		if (name)
			fputs(name, out);
		else if (!bytes)
			fputs("\xef\xbf\xbd", out);
		else
			fwrite(text, 1, bytes, out);
		text += bytes ? bytes : 1;
	}
}

/* Also those of two bytes, which some terminals obey. */
static bool is_control(const unsigned char *c)
{
	return c[0] < 32 || c[0] == 127 || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
}

static char *text_copy(const char *text, bool escape)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	while (*text) {
		const unsigned char *c = (const unsigned char *)text;
		size_t bytes = utf8_bytes(text);
		if (escape && is_control(c))
			fprintf(out, "\\x%02x", c[bytes - 1]);
		else if (!bytes)
			fputs("\xef\xbf\xbd", out);
		else
			fwrite(text, 1, bytes, out);
		text += bytes ? bytes : 1;
	}
	return text_end(&buffer);
}

char *line_text(const char *text)
{
	return text_copy(text, true);
}

char *utf8_text(const char *text)
{
	return text_copy(text, false);
}

/* Bytes of the escape sequence at `text`, 0: there is none. CSI ends with a byte of 0x40 to 0x7e, OSC with BEL or ESC \\. */
static size_t escape_bytes(const char *text)
{
	size_t n = 2;

	if (text[0] != '\x1b' || !text[1])
		return text[0] == '\x1b';
	if (text[1] == '[') {
		while (text[n] && (text[n] < 0x40 || text[n] > 0x7e))
			n++;
	} else if (text[1] == ']') {
		while (text[n] && text[n] != '\a' && text[n] != '\x1b')
			n++;
	} else {
		return n;
	}
	return text[n] ? n + 1 : n;
}

char *words_text(const char *line)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	for (size_t bytes; *line; line += bytes) {
		bytes = escape_bytes(line);
		if (bytes)
			continue;
		bytes = utf8_bytes(line) ? utf8_bytes(line) : 1;
		if (*line == '\t')
			fputc(' ', out);
		else if (!is_control((const unsigned char *)line))
			fwrite(line, 1, bytes, out);
	}
	char *text = text_end(&buffer), *utf8 = utf8_text(text + strspn(text, " "));
	for (size_t n = strlen(utf8); n && utf8[n - 1] == ' '; n--)
		utf8[n - 1] = 0;
	free(text);
	return utf8;
}

char *last_line_text(const char *text)
{
	const char *found = NULL;
	size_t found_bytes = 0;

	for (size_t bytes; *text; text += bytes + (text[bytes] != 0)) {
		bytes = strcspn(text, "\r\n");
		if (strspn(text, " \t") >= bytes)
			continue;
		found = text;
		found_bytes = bytes;
	}
	if (!found)
		return NULL;
	char *line = xasprintf("%.*s", (int)found_bytes, found), *words = words_text(line);
	free(line);
	return words;
}

size_t terminal_columns(FILE *out)
{
	struct winsize size;

	return isatty(fileno(out)) && !ioctl(fileno(out), TIOCGWINSZ, &size) ? size.ws_col : 0;
}

void pattern_compile(regex_t *regex, const char *pattern, const char *option, int flags)
{
	char text[256];
	int error = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB | flags);

	if (!error)
		return;
	regerror(error, regex, text, sizeof(text));
	die("--%s: %s: %s", option, pattern, text);
}

void csv_text(FILE *out, const char *text)
{
	if (!text)
		return;
	if (!strpbrk(text, ",\"\n\r")) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

void csv_name(FILE *out, const char *name)
{
	char *quoted = name && *name && strchr("=+-@\t\r", *name) ? xasprintf("'%s", name) : NULL;

	csv_text(out, quoted ? quoted : name);
	free(quoted);
}

char *uri_text(const char *path)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	if (path[0] == '/')
		fputs("file://", out);
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("/-._~", *path))
			fputc(*path, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*path);
	}
	return text_end(&buffer);
}
