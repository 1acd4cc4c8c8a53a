/* SPDX-License-Identifier: MIT */
/* pagetrail: the command line. See command.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "help.h"
#include "run/watch.h"

const struct command *const all_commands[] = {
#define COMMAND(name) &command_##name,
#include "commands.def"
#undef COMMAND
};
const size_t nr_all_commands = sizeof(all_commands) / sizeof(all_commands[0]);

/* ---- options ---- */

static int find_option(const struct command *command, const char *name, size_t bytes)
{
	for (int i = 0; command->options[i].name; i++) {
		if (strlen(command->options[i].name) == bytes &&
		    !strncmp(command->options[i].name, name, bytes))
			return i;
	}
	return -1;
}

static int own_option(const struct arguments *arguments, const char *name)
{
	int i = find_option(arguments->command, name, strlen(name));

	if (i < 0)
		die("internal: %s has no option %s", arguments->command->name, name);
	return i;
}

const char *option(const struct arguments *arguments, const char *name)
{
	return arguments->values[own_option(arguments, name)];
}

const char *option_second(const struct arguments *arguments, const char *name)
{
	return arguments->seconds[own_option(arguments, name)];
}

uint64_t option_number(const struct arguments *arguments, const char *name, uint64_t otherwise, uint64_t low,
		       uint64_t high)
{
	const char *text = option(arguments, name);
	char *end;

	if (!text || !*text)
		return otherwise;
	errno = 0;
	uint64_t value = strtoull(text, &end, 0);
	if (*end || errno || *text == '-' || value < low || value > high)
		die("--%s: %s is not a number from %llu to %llu", name, text, (unsigned long long)low,
		    (unsigned long long)high);
	return value;
}

/* Reads "--name", "--name value", "--name=value" or "--name value value"; returns how many words it was. */
static int parse_option(struct arguments *arguments, char **words, int nr)
{
	const char *name = words[0] + 2;
	const char *equals = strchr(name, '=');
	size_t bytes = equals ? (size_t)(equals - name) : strlen(name);
	int i = find_option(arguments->command, name, bytes);

	if (i < 0)
		die("%s: no option %s; see `pagetrail %s --help`", arguments->command->name, words[0],
		    arguments->command->name);
	const char *wanted = arguments->command->options[i].argument;
	if (!wanted && equals)
		die("%s: --%s takes no value", arguments->command->name, arguments->command->options[i].name);
	if (!equals && (!wanted || wanted[0] == '[')) {
		arguments->values[i] = "";
		return 1;
	}
	int used = equals ? 1 : 2, nr_values = strchr(wanted, ' ') ? 2 : 1;
	if (nr < used + nr_values - 1)
		die("%s: --%s needs %s", arguments->command->name, arguments->command->options[i].name,
		    nr_values == 2 ? "two values" : "a value");
	arguments->values[i] = equals ? equals + 1 : words[1];
	if (nr_values == 2)
		arguments->seconds[i] = words[used++];
	return used;
}

const char **option_all(const struct arguments *arguments, const char *name)
{
	const char **values = NULL;
	size_t nr = 0, capacity = 0, bytes = strlen(name);

	for (int i = 0; i < arguments->nr_words; i++) {
		const char *word = arguments->words[i];
		if (strncmp(word, "--", 2) || strncmp(word + 2, name, bytes))
			continue;
		if (word[2 + bytes] == '=')
			ARRAY_PUSH(values, nr, capacity) = word + 2 + bytes + 1;
		else if (!word[2 + bytes] && i + 1 < arguments->nr_words)
			ARRAY_PUSH(values, nr, capacity) = arguments->words[++i];
	}
	if (values)
		ARRAY_PUSH(values, nr, capacity) = NULL;
	return values;
}

/* What was printed is part of what was asked for, help too. */
static int printed(int status)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write the output");
	return status;
}

const char *long_option(const struct command *command, const char *word)
{
	static const char *const shorts[][2] = {{"-o", "--out"}, {"-j", "--jobs"}};

	if (word[0] != '-' || !word[1] || word[1] == '-')
		return word;
	for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++) {
		if (strcmp(word, shorts[i][0]) != 0)
			continue;
		for (const struct option_spec *spec = command->options; spec->name; spec++) {
			if (!strcmp(spec->name, shorts[i][1] + 2))
				return shorts[i][1];
		}
	}
	return word;
}

static void parse(struct arguments *arguments, char **words, int nr)
{
	const struct command *command = arguments->command;

	arguments->operands = xcalloc((size_t)nr + 1, sizeof(char *));
	arguments->words = words;
	arguments->nr_words = nr;
	for (int i = 0; i < nr;) {
		bool dashes = !strcmp(words[i], "--");
		if (dashes || (command->takes_command && words[i][0] != '-')) {
			arguments->rest = &words[i + dashes];
			arguments->nr_rest = nr - i - dashes;
			arguments->nr_words = i;
			break;
		}
		if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) {
			help_command(command);
			exit(printed(0));
		}
		words[i] = (char *)long_option(command, words[i]);
		if (words[i][0] == '-' && words[i][1] == '-') {
			i += parse_option(arguments, words + i, nr - i);
			continue;
		}
		if (words[i][0] == '-' && words[i][1])
			die("%s: %s is no option of it; `pagetrail %s --help` lists them", command->name,
			    words[i], command->name);
		arguments->operands[arguments->nr_operands++] = words[i++];
	}
	if (arguments->nr_rest && !command->takes_rest && !command->takes_command)
		die("%s: nothing may follow --", command->name);
	if ((uint32_t)arguments->nr_operands < command->min_operands ||
	    (uint32_t)arguments->nr_operands > command->max_operands) {
		fprintf(stderr, "usage: ");
		help_usage(stderr, command);
		fprintf(stderr, "`pagetrail %s --help` describes it.\n", command->name);
		exit(STATUS_CANNOT_TELL);
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};

	if (watch_is_stand_in(argv[0]))
		return watch_stand_in(argc, argv);
	if (argc < 2) {
		help_general(stderr);
		return STATUS_CANNOT_TELL;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("pagetrail %s\n", PAGETRAIL_VERSION);
		return printed(0);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return printed(help_run(argv + 2, argc - 2));
	arguments.command = command_find(argv[1]);
	if (!arguments.command)
		die("there is no command %s; `pagetrail help` lists them", argv[1]);
	parse(&arguments, argv + 2, argc - 2);
	int force = find_option(arguments.command, "force-symbols", strlen("force-symbols"));
	if (force >= 0 && arguments.values[force])
		run_force_symbols();
	arguments.program = argv[0];
	progress_begin(arguments.command->name);
	int status = arguments.command->run(&arguments);
	progress_erase();
	free(arguments.operands);
	return printed(status);
}
