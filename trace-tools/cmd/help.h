/* SPDX-License-Identifier: MIT */
/* help: the texts that come from the commands' tables: --help, docs/PAGETRAIL.md, man pages; and completion. */
#ifndef CMD_HELP_H
#define CMD_HELP_H

#include "command.h"

/* In the order of `pagetrail help`; in main.c. */
extern const struct command *const all_commands[];
extern const size_t nr_all_commands;

/* NULL: there is none of that name. */
const struct command *command_find(const char *name);
/* `pagetrail help WORDS...`; the exit status. */
int help_run(char **words, int nr);
void help_general(FILE *out);
void help_command(const struct command *command);
/* "pagetrail NAME [OPTIONS] OPERANDS" */
void help_usage(FILE *out, const struct command *command);
/* "--name ARGUMENT" into buf. */
void help_option(const struct option_spec *spec, char *buf, size_t bytes);

/* help/NAME.txt, as embed.py wrote it: a paragraph is one line, empty lines lie between, indented lines stand as they are. */
struct help_text {
	const char *name, *text;
};
extern const struct help_text help_texts[];
extern const size_t nr_help_texts;
/* Dies when there is none: each command has one. */
const char *help_text(const char *name);
/* The text with its paragraphs filled, no line longer than `columns` where words allow. */
void help_fill(FILE *out, const char *text, size_t columns);

/* Of the verdicts. What a command's status means is said by its text. */
extern const char help_statuses[];

/* The man page of a command; NULL: pagetrail(1), which tells of all. */
void man_page(const struct command *command, FILE *out);
/*
 * Prints what may stand for the last of the words that follow "pagetrail", one candidate a line; the line ":files" or
 * ":folders" stands for names that the shell knows.
 */
void complete_words(char **words, int nr, FILE *out);
/* The code that asks for them: of bash, zsh or fish. False for another shell. */
bool complete_script(const char *shell, FILE *out);

#endif
