/* SPDX-License-Identifier: MIT */
/*
 * mutate_lines: changes a text of lines in ways that leave most of it believable: lines are removed, doubled and moved, words
 * of one are given to another, numbers become extreme. The count in the last line, "end N …", is made right again but every
 * eighth time, else no changed text would be read to its end. Every fourth change is libFuzzer's own, anywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define LINES_MAX 256
#define WORDS_MAX 64

struct piece {
	const char *at;
	size_t bytes;
};

struct text {
	char *data; /* a copy, which the lines point into */
	struct piece lines[LINES_MAX];
	size_t nr;
	uint32_t random;
};

static uint32_t pick(struct text *text, size_t below)
{
	text->random = text->random * 1664525 + 1013904223;
	return below ? (uint32_t)((uint64_t)text->random * below >> 32) : 0;
}

static size_t split(const char *data, size_t size, char by, struct piece *pieces, size_t most)
{
	size_t nr = 0;

	for (const char *at = data, *end = data + size; at < end && nr < most; nr++) {
		const char *stop = memchr(at, by, (size_t)(end - at));
		stop = stop ? stop : end;
		pieces[nr] = (struct piece){at, (size_t)(stop - at)};
		at = stop + 1;
	}
	return nr;
}

static void change_lines(struct text *text)
{
	size_t at = pick(text, text->nr), other = pick(text, text->nr);
	struct piece line = text->lines[at];

	switch (pick(text, 3)) {
	case 0:
		memmove(&text->lines[at], &text->lines[at + 1], (text->nr - at - 1) * sizeof(line));
		text->nr--;
		break;
	case 1:
		if (text->nr == LINES_MAX)
			break;
		memmove(&text->lines[other + 1], &text->lines[other], (text->nr - other) * sizeof(line));
		text->lines[other] = line;
		text->nr++;
		break;
	default:
		text->lines[at] = text->lines[other];
		text->lines[other] = line;
	}
}

/* The line with one word exchanged for one of another line, or for an extreme number, into `out`. */
static struct piece change_word(struct text *text, struct piece line, char *out, size_t most)
{
	static const char *const extreme[] = {
	    "0", "-1", "18446744073709551615", "0xffffffffffffffff", "4294967296", "99999999999999999999999",
	    "x", ""};
	struct piece words[WORDS_MAX], others[WORDS_MAX], other = text->lines[pick(text, text->nr)];
	size_t nr = split(line.at, line.bytes, ' ', words, WORDS_MAX),
	       nr_others = split(other.at, other.bytes, ' ', others, WORDS_MAX), used = 0,
	       changed = pick(text, nr);
	const char *number = extreme[pick(text, sizeof(extreme) / sizeof(extreme[0]))];
	struct piece word = nr_others && pick(text, 2) ? others[pick(text, nr_others)]
						       : (struct piece){number, strlen(number)};

	for (size_t i = 0; i < nr; i++) {
		struct piece one = i == changed ? word : words[i];
		if (used + one.bytes + 1 > most)
			return line;
		if (i)
			out[used++] = ' ';
		memcpy(out + used, one.at, one.bytes);
		used += one.bytes;
	}
	return (struct piece){out, used};
}

/* "end N …" with as many lives as there are. */
static struct piece right_end(const struct text *text, struct piece line, char *out, size_t most)
{
	size_t lives = 0;
	int at = 0;

	for (size_t i = 0; i < text->nr; i++)
		lives += text->lines[i].bytes > 5 && !memcmp(text->lines[i].at, "life ", 5);
	snprintf(out, most, "%.*s", (int)(line.bytes < most ? line.bytes : most - 1), line.at);
	if (sscanf(out, "end %*s%n", &at) < 0 || !at)
		return line;
	int bytes = snprintf(out, most, "end %zu%.*s", lives, (int)(line.bytes - (size_t)at), line.at + at);
	return bytes < 0 || (size_t)bytes >= most ? line : (struct piece){out, (size_t)bytes};
}

static size_t join(const struct text *text, uint8_t *data, size_t max_size)
{
	size_t used = 0;

	for (size_t i = 0; i < text->nr && used + text->lines[i].bytes + 1 <= max_size; i++) {
		memcpy(data + used, text->lines[i].at, text->lines[i].bytes);
		used += text->lines[i].bytes;
		data[used++] = '\n';
	}
	return used;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct text text = {.random = seed};
	char word[1024], end[1024];

	if (seed % 4 == 0 || !size)
		return LLVMFuzzerMutate(data, size, max_size);
	text.data = malloc(size);
	if (!text.data)
		return size;
	memcpy(text.data, data, size);
	text.nr = split(text.data, size, '\n', text.lines, LINES_MAX);
	if (pick(&text, 2) && text.nr > 1) {
		change_lines(&text);
	} else {
		size_t at = pick(&text, text.nr);
		text.lines[at] = change_word(&text, text.lines[at], word, sizeof(word));
	}
	if (pick(&text, 8))
		text.lines[text.nr - 1] = right_end(&text, text.lines[text.nr - 1], end, sizeof(end));
	size = join(&text, data, max_size);
	free(text.data);
	return size;
}
