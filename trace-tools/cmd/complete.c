/* SPDX-License-Identifier: MIT */
/*
 * complete: what may stand next on the command line. See help.h.
 *
 * The shells' own code is a few lines that ask `pagetrail help --complete WORDS...`; what it answers comes from the
 * commands' tables, so that an option that is added there can be completed at once. What an argument may be follows
 * from its name in the table: "live|peak|total" are words to choose from, RUN is a folder, TEST a test of the run that
 * stands on the line, and so on.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"

struct completion {
	const struct command *command;
	char **words;
	int nr; /* the last is being written */
	const char *prefix;
	FILE *out;
};

static void offer(const struct completion *completion, const char *word)
{
	if (!strncmp(word, completion->prefix, strlen(completion->prefix)))
		fprintf(completion->out, "%s\n", word);
}

/* ---- what an argument's name stands for ---- */

static bool is_choice(const char *argument)
{
	return strchr(argument, '|') && islower(argument[0]);
}

static void offer_choices(const struct completion *completion, const char *argument)
{
	char word[64];

	for (size_t bytes; *argument; argument += bytes + (argument[bytes] == '|')) {
		bytes = strcspn(argument, "|");
		snprintf(word, sizeof(word), "%.*s", (int)bytes, argument);
		offer(completion, word);
	}
}

/* The first word on the line that is a run folder's name, or NULL. */
static struct run *named_run(const struct completion *completion)
{
	for (int i = 1; i + 1 < completion->nr; i++) {
		char *error = NULL;
		struct run *run =
		    completion->words[i][0] == '-' ? NULL : run_open(completion->words[i], &error);
		free(error);
		if (run)
			return run;
	}
	return NULL;
}

/* Each name once, in the order in which the tests ran. */
static void offer_tests(const struct completion *completion)
{
	struct run *run = named_run(completion);

	if (!run)
		return;
	struct model *model = model_replay(run, NULL);
	size_t nr_tests;
	const struct test_mark *tests = model_tests(model, &nr_tests);
	for (size_t i = 0; i < nr_tests; i++) {
		bool again = false;
		for (size_t k = 0; k < i && !again; k++)
			again = !strcmp(tests[k].name, tests[i].name);
		if (!again)
			offer(completion, tests[i].name);
	}
	model_free(model);
	run_close(run);
}

static void offer_argument(const struct completion *completion, const char *argument, size_t bytes)
{
	static const char *const folders[] = {"RUN", "FOLDER", "A", "B"},
				 *const files[] = {"FILE", "ELF", "IMAGE", "RAMFILE", "PATH", "CORE"},
				 *const tests[] = {"TEST", "MARK"};
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)bytes, argument);
	if (is_choice(name)) {
		offer_choices(completion, name);
		return;
	}
	name[strcspn(name, "|, ")] = 0; /* RAMFILE|CORE, MARK MARK */
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (!strcmp(name, folders[i]))
			fputs(":folders\n", completion->out);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(name, files[i]))
			fputs(":files\n", completion->out);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(name, tests[i]))
			offer_tests(completion);
	for (uint32_t id = 0; !strcmp(name, "EVENT") && id < EVENT_ID_MAX; id++)
		if (event_info(id))
			offer(completion, event_info(id)->name);
	for (uint32_t kind = 0; !strcmp(name, "KIND") && kind < PK_NR; kind++)
		if (page_kind_text(kind)[0] != '?')
			offer(completion, page_kind_text(kind));
}

/* ---- which argument it is ---- */

static const struct option_spec *option_of(const struct command *command, const char *word)
{
	const char *full = long_option(command, word);

	for (const struct option_spec *spec = command->options; spec->name; spec++) {
		if (!strncmp(full, "--", 2) && !strcmp(full + 2, spec->name))
			return spec;
	}
	return NULL;
}

/* How many words follow it. */
static uint32_t wanted_values(const struct option_spec *spec)
{
	if (!spec || !spec->argument || spec->argument[0] == '[')
		return 0;
	return strchr(spec->argument, ' ') ? 2 : 1;
}

static void offer_options(const struct completion *completion)
{
	char word[64];

	for (const struct option_spec *spec = completion->command->options; spec->name; spec++) {
		snprintf(word, sizeof(word), "--%s", spec->name);
		offer(completion, word);
	}
	offer(completion, "--help");
}

/* The k-th of "RUN ADDR|PFN"; the last one serves for all that follow. */
static void offer_operand(const struct completion *completion, uint32_t k)
{
	const char *at = completion->command->operands;

	if (!completion->command->max_operands || k >= completion->command->max_operands)
		return;
	for (;;) {
		at += strspn(at, " [.");
		size_t bytes = strcspn(at, " ].");
		const char *next = at + bytes + strspn(at + bytes, " [].");
		if (k-- == 0 || !*next) {
			offer_argument(completion, at, bytes);
			return;
		}
		at = next;
	}
}

static void complete_command(const struct completion *completion)
{
	const struct option_spec *waiting = NULL;
	uint32_t nr_operands = 0, nr_waiting = 0;

	for (int i = 1; i + 1 < completion->nr; i++) {
		const char *word = completion->words[i];
		if (!strcmp(word, "--"))
			return; /* the guest's command */
		if (nr_waiting) {
			nr_waiting--;
			continue;
		}
		waiting = option_of(completion->command, word);
		nr_waiting = wanted_values(waiting);
		nr_operands += word[0] != '-';
	}
	if (nr_waiting)
		offer_argument(completion, waiting->argument, strlen(waiting->argument));
	else if (completion->prefix[0] == '-')
		offer_options(completion);
	else
		offer_operand(completion, nr_operands);
}

void complete_words(char **words, int nr, FILE *out)
{
	struct completion completion = {
	    .words = words, .nr = nr, .prefix = nr ? words[nr - 1] : "", .out = out};

	completion.command = nr > 1 ? command_find(words[0]) : NULL;
	if (completion.command) {
		complete_command(&completion);
	} else if (nr <= 1 || (nr == 2 && !strcmp(words[0], "help"))) {
		for (size_t i = 0; i < nr_all_commands; i++)
			offer(&completion, all_commands[i]->name);
		if (nr <= 1)
			offer(&completion, "help");
	}
}

/* ---- the shells ---- */

static const char bash_script[] =
    "_pagetrail() {\n"
    "	local line current=${COMP_WORDS[COMP_CWORD]}\n"
    "	COMPREPLY=()\n"
    "	while IFS= read -r line; do\n"
    "		case $line in\n"
    "		:files) compopt -o filenames 2>/dev/null; mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < "
    "<(compgen -f -- "
    "\"$current\") ;;\n"
    "		:folders) compopt -o filenames 2>/dev/null; mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < "
    "<(compgen -d -- "
    "\"$current\") ;;\n"
    "		*) COMPREPLY+=(\"$line\") ;;\n"
    "		esac\n"
    "	done < <(\"$1\" help --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _pagetrail pagetrail\n";

static const char zsh_script[] =
    "#compdef pagetrail\n"
    "_pagetrail() {\n"
    "	local line\n"
    "	for line in \"${(@f)$($words[1] help --complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "		case $line in\n"
    "		:files) _files ;;\n"
    "		:folders) _files -/ ;;\n"
    "		?*) compadd -- \"$line\" ;;\n"
    "		esac\n"
    "	done\n"
    "}\n"
    "compdef _pagetrail pagetrail\n";

static const char fish_script[] =
    "function __pagetrail_complete\n"
    "	set -l words (commandline -opc)\n"
    "	set -l current (commandline -ct)\n"
    "	for line in ($words[1] help --complete $words[2..] \"$current\" 2>/dev/null)\n"
    "		switch $line\n"
    "			case :files\n"
    "				__fish_complete_path \"$current\"\n"
    "			case :folders\n"
    "				__fish_complete_directories \"$current\"\n"
    "			case '*'\n"
    "				echo $line\n"
    "		end\n"
    "	end\n"
    "end\n"
    "complete -c pagetrail -f -a '(__pagetrail_complete)'\n";

bool complete_script(const char *shell, FILE *out)
{
	const char *script = !strcmp(shell, "bash")   ? bash_script
			     : !strcmp(shell, "zsh")  ? zsh_script
			     : !strcmp(shell, "fish") ? fish_script
						      : NULL;

	if (script)
		fputs(script, out);
	return script != NULL;
}
