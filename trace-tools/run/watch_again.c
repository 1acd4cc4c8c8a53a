/* SPDX-License-Identifier: MIT */
/* watch_again: see watch_again.h. */
#include "watch_again.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/util.h"
#include "watch_disks.h"
#include "watch_end.h"
#include "watch_kernel.h"

#define JSON_BYTES_MAX (4U << 20)
#define TIMES_LONGER 20 /* than the first run, before the second is given up */
#define LEAST_SECONDS 120

struct words {
	char **list;
	size_t nr, capacity;
};

static void add(struct words *words, char *word)
{
	ARRAY_PUSH(words->list, words->nr, words->capacity) = word;
}

static bool is_drive(const char *word)
{
	return !strcmp(word, "-drive") || !strcmp(word, "--drive");
}

/* The call that was made, on copies of its disks. */
static void make_command(struct words *command, const char *run, const struct json_value *said)
{
	const struct json_value *word = json_get(said, "qemu")->first;
	unsigned n = 0;

	add(command, xstrdup(WATCH_QEMU));
	for (word = word->next; word; word = word->next) {
		add(command, xstrdup(word->text));
		if (is_drive(word->text) && word->next) {
			word = word->next;
			add(command, watch_disk_word(run, n++, word->text));
		}
	}
	add(command, xstrdup("-snapshot"));
	add(command, NULL);
}

static void free_words(struct words *words)
{
	for (size_t i = 0; i < words->nr; i++)
		free(words->list[i]);
	free(words->list);
}

/* Lines that were typed, NULL-terminated; NULL: none. */
static const char **typed_lines(const struct json_value *said)
{
	const struct json_value *typed = json_get(said, "typed");
	const char **lines = NULL;
	size_t nr = 0, capacity = 0;

	for (const struct json_value *line = typed ? typed->first : NULL; line; line = line->next)
		ARRAY_PUSH(lines, nr, capacity) = line->text;
	if (nr)
		ARRAY_PUSH(lines, nr, capacity) = NULL;
	return lines;
}

static char *unfit(const char *run, const struct json_value *said)
{
	if (!said)
		return xasprintf("%s: only a run that came to its end can be repeated", run);
	if (!json_get(said, "qemu") || !json_get(said, "qemu")->first || !json_get_string(said, "folder"))
		return xasprintf("%s: its run.json does not say how the machine was started", run);
	if (!json_get(said, "driven") || !json_get(said, "driven")->number)
		return xasprintf(
		    "%s: what was typed at its prompt is not known, so it cannot be typed again. Let watch "
		    "type it: pagetrail watch --type 'usertests -q' ...",
		    run);
	return NULL;
}

/* QEMU is found through PATH, as it was then. */
static void put_in_path(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL, *path = getenv("PATH");

	if (!slash)
		return;
	char *with = xasprintf("%.*s:%s", (int)(slash - program), program, path ? path : "/usr/bin:/bin");
	setenv("PATH", with, 1);
	free(with);
}

static char *absolute(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : xstrdup(path);
}

/* The kernel may have been built again since: what that one loses is not what this run lost. NULL: it is the same. */
static char *other_kernel(const char *kernel, const struct json_value *said)
{
	const struct json_value *word = json_get(said, "qemu")->first;

	while (word && (!word->text || (strcmp(word->text, "-kernel") && strcmp(word->text, "--kernel"))))
		word = word->next;
	return word && word->next && word->next->text ? watch_other_kernel(kernel, word->next->text) : NULL;
}

static char *run_it(const char *run, const char *folder, const struct json_value *said)
{
	struct words command = {0};
	char *kernel = xasprintf("%s/kernel/kernel.elf", run),
	     *description = xasprintf("%s/kernel/kernel.kd", run), *error = NULL;
	uint64_t seconds = json_get_number(said, "seconds", 0) * TIMES_LONGER;
	struct watch_options options = {.folder = folder,
					.description = description,
					.elf = kernel,
					.typed = typed_lines(said),
					.until = json_get_string(said, "until"),
					.prompt = json_get_string(said, "prompt"),
					.timeout_seconds = seconds > LEAST_SECONDS ? seconds : LEAST_SECONDS,
					.follow = WATCH_FOLLOW_ALL,
					.quiet = true};

	make_command(&command, run, said);
	options.command = command.list;
	if (chdir(json_get_string(said, "folder")))
		error = xasprintf("%s: %s", json_get_string(said, "folder"), strerror(errno));
	if (!error)
		error = other_kernel(kernel, said);
	if (!error) {
		put_in_path(json_get_string(said, "qemu_program"));
		struct watch *watch = watch_run(&options);
		if (watch->nr_runs != 1 || watch->end != WATCH_ENDED)
			error = xasprintf("%s: the machine could not be repeated: %s", run,
					  watch->end_text ? watch->end_text : "it did not start");
		else
			error = watch_write_end(watch->runs[0].folder, watch->end_text, &options);
		watch_free(watch);
	}
	free(options.typed);
	free_words(&command);
	free(kernel);
	free(description);
	return error;
}

bool watch_again(const char *run, const char *name, char **error)
{
	char *here = absolute(run), *there = xasprintf("%s/%s", here, name),
	     *folder = xasprintf("%s/%s", run, name), *path = xasprintf("%s/run.json", here),
	     *back = getcwd(NULL, 0);
	const char *fault;
	char *text = file_read_regular(path, JSON_BYTES_MAX, NULL, &fault);
	struct json_value *said = text ? json_parse(text) : NULL;

	*error = unfit(run, said);
	if (!*error && folder_remove(folder))
		*error = xasprintf("%s: %s", folder, strerror(errno));
	if (!*error)
		*error = run_it(here, there, said);
	if (back && chdir(back) && !*error)
		*error = xasprintf("%s: %s", back, strerror(errno));
	json_value_free(said);
	free(text);
	free(path);
	free(here);
	free(there);
	free(folder);
	free(back);
	return !*error;
}
