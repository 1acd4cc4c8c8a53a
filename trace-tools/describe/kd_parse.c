/* SPDX-License-Identifier: MIT */
/* kd_parse: a description from its text, with errors that say where and what was expected; see kd.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "kd.h"

struct parser {
	struct kd *kd;
	const char *path;
	size_t line;
	char *at;    /* in the line, which ends with 0 */
	char *error; /* the first one */
};

#define FAIL(parser, ...)                                                                                    \
	do {                                                                                                 \
		if (!(parser)->error) {                                                                      \
			char *what_ = xasprintf(__VA_ARGS__);                                                \
			(parser)->error = xasprintf("%s:%zu: %s", (parser)->path, (parser)->line, what_);    \
			free(what_);                                                                         \
		}                                                                                            \
	} while (0)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/*
 * The next word: blanks and # end it outside of quotes, which are taken off. NULL: the item ends here, or a quote does
 * not. What comes back is in the line itself.
 */
static char *next_word(struct parser *parser)
{
	char *out, *word;

	while (is_blank(*parser->at))
		parser->at++;
	if (!*parser->at || *parser->at == '#')
		return NULL;
	word = out = parser->at;
	bool quoted = false;
	for (; *parser->at && (quoted || (!is_blank(*parser->at) && *parser->at != '#')); parser->at++) {
		if (*parser->at == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *parser->at == '\\' && (parser->at[1] == '"' || parser->at[1] == '\\'))
			parser->at++;
		*out++ = *parser->at;
	}
	if (quoted) {
		FAIL(parser, "a quote is opened and not closed: %s", word);
		return NULL;
	}
	/* The end of the word may be where the next one begins. */
	char *rest = *parser->at ? parser->at + (*parser->at != '#') : parser->at;
	if (*parser->at == '#' && out == parser->at) {
		FAIL(parser, "a blank must stand in front of #");
		return NULL;
	}
	*out = 0;
	parser->at = rest;
	return word;
}

/* "alloc, count, free": names of all verbs, or of a verb's keys. */
static char *all_names(const struct kd_verb_spec *verb)
{
	char *names = xstrdup("");

	for (size_t i = 0; i < (verb ? KD_KEYS_MAX : KD_NR); i++) {
		const char *name = verb ? verb->keys[i].name : kd_verbs[i].name;
		if (!name)
			break;
		char *longer = xasprintf("%s%s%s", names, *names ? ", " : "", name);
		free(names);
		names = longer;
	}
	return names;
}

static bool one_of(const char *word, const char *words)
{
	size_t bytes = strlen(word);

	for (const char *at = words; bytes && (at = strstr(at, word)); at += bytes) {
		if ((at == words || at[-1] == ' ') && (at[bytes] == ' ' || !at[bytes]))
			return true;
	}
	return false;
}

static void parse_pair(struct parser *parser, struct kd_item *item, char *word)
{
	const struct kd_verb_spec *verb = &kd_verbs[item->verb];
	const struct kd_key *key = verb->keys;
	char *equals = strchr(word, '=');
	size_t bytes = equals ? (size_t)(equals - word) : strlen(word);

	while (key < verb->keys + KD_KEYS_MAX && key->name &&
	       (strlen(key->name) != bytes || strncmp(key->name, word, bytes)))
		key++;
	if (key == verb->keys + KD_KEYS_MAX || !key->name) {
		char *names = all_names(verb);
		if (*names)
			FAIL(parser, "%s takes no %.*s; expected one of %s", verb->name, (int)bytes, word,
			     names);
		else
			FAIL(parser, "%s takes nothing more, here is %s", verb->name, word);
		free(names);
	} else if (key->kind == KD_FLAG && equals) {
		FAIL(parser, "%s of %s takes no value", key->name, verb->name);
	} else if (key->kind != KD_FLAG && (!equals || !equals[1])) {
		FAIL(parser, "%s of %s needs a value: expected %s=…, %s", key->name, verb->name, key->name,
		     key->help);
	} else if (kd_get(item, key->name)) {
		FAIL(parser, "%s is given twice", key->name);
	} else if (key->kind == KD_WORD && !one_of(equals + 1, key->words)) {
		FAIL(parser, "%s=%s: expected one of %s", key->name, equals + 1, key->words);
	} else {
		kd_set(item, key->name, "%s", equals ? equals + 1 : "");
	}
}

static enum kd_verb parse_verb(struct parser *parser, const char *word)
{
	for (enum kd_verb verb = 0; verb < KD_NR; verb++) {
		if (!strcmp(kd_verbs[verb].name, word))
			return verb;
	}
	char *names = all_names(NULL);
	FAIL(parser, "%s is no verb; expected one of %s", word, names);
	free(names);
	return KD_NR;
}

static void check_item(struct parser *parser, const struct kd_item *item)
{
	const struct kd_verb_spec *verb = &kd_verbs[item->verb];

	for (size_t i = 0; i < KD_KEYS_MAX && verb->keys[i].name; i++) {
		if (verb->keys[i].needed && !kd_get(item, verb->keys[i].name))
			FAIL(parser, "%s needs %s=…: %s", verb->name, verb->keys[i].name, verb->keys[i].help);
	}
	if (verb->once && kd_item(parser->kd, item->verb, 1))
		FAIL(parser, "%s is here a second time, and only one can be", verb->name);
	if (item->verb == KD_MARK && item->nr_pairs != 1)
		FAIL(parser, "mark needs one of begin=…, line=…, end=…, panic=…");
	if (item->verb == KD_LIST && !kd_get(item, "at") != !kd_get(item, "n"))
		FAIL(parser,
		     "list needs at=… and n=… together: where head number i is, and how many there are");
	if (item->verb == KD_PTE && !item->nr_pairs)
		FAIL(parser, "pte needs funcs=… or levels=…");
	if (item->verb == KD_CONSOLE &&
	    !!kd_get(item, "uart") + !!kd_get(item, "pa") + !!kd_get(item, "sbi") != 1)
		FAIL(parser, "console needs one of uart=ADDRESS, pa=ADDRESS, sbi");
	if (item->verb == KD_CONSOLE && !kd_get(item, "sbi") && !kd_get(item, "funcs"))
		FAIL(parser, "console without sbi needs funcs=…: the functions that store to it");
}

/* The comment of a line, from where the parser is. */
static void parse_why(struct parser *parser, struct kd_item *item)
{
	char *why = parser->at;

	while (is_blank(*why))
		why++;
	if (*why != '#')
		return;
	for (why++; is_blank(*why); why++)
		;
	size_t bytes = strlen(why);
	while (bytes && is_blank(why[bytes - 1]))
		bytes--;
	if (bytes)
		item->why = xasprintf("%.*s", (int)bytes, why);
}

static void parse_line(struct parser *parser)
{
	char *word = next_word(parser);
	bool maybe = word && !strcmp(word, "maybe");

	if (maybe && !(word = next_word(parser)))
		FAIL(parser, "expected a verb behind maybe");
	enum kd_verb verb = word ? parse_verb(parser, word) : KD_NR;
	if (verb == KD_NR)
		return;
	const char *subject = NULL;
	if (kd_verbs[verb].subject != KD_NO_SUBJECT &&
	    (!(subject = next_word(parser)) || strchr(subject, '='))) {
		FAIL(parser, "expected %s behind %s",
		     kd_verbs[verb].subject == KD_FUNCTION ? "a function" : "a variable",
		     kd_verbs[verb].name);
		return;
	}
	struct kd_item *item = kd_add(parser->kd, verb, subject, NULL);
	item->maybe = maybe;
	item->line = parser->line;
	while (!parser->error && (word = next_word(parser)))
		parse_pair(parser, item, word);
	if (parser->error)
		return;
	parse_why(parser, item);
	check_item(parser, item);
}

struct kd *kd_parse(const char *path, const char *text, char **error)
{
	struct parser parser = {.kd = kd_new(), .path = path};
	char *copy = xstrdup(text), *next = copy;

	parser.kd->path = xstrdup(path);
	while (next && !parser.error) {
		parser.at = next;
		parser.line++;
		next = strchr(next, '\n');
		if (next)
			*next++ = 0;
		parse_line(&parser);
	}
	free(copy);
	*error = parser.error;
	if (!parser.error)
		return parser.kd;
	kd_free(parser.kd);
	return NULL;
}

struct kd *kd_read(const char *path, char **error)
{
	size_t bytes;
	char *text = file_read_all(path, &bytes);

	if (!text) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		return NULL;
	}
	struct kd *kd = strlen(text) == bytes ? kd_parse(path, text, error) : NULL;
	if (strlen(text) != bytes)
		*error = xasprintf("%s: no text: there is a byte of 0 in it", path);
	free(text);
	return kd;
}
