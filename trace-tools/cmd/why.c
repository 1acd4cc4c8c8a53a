/* SPDX-License-Identifier: MIT */
/*
 * pagetrail why: repeats a run and says of everything that leaked in it where its last pointer died.
 *
 * The repeated run is proved to be the same by its trace (rerun.c does that alone). One that went another way is tried once more;
 * then there is no answer, since the things that were followed were others.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "analysis/freed_early.h"
#include "analysis/leak_point.h"
#include "analysis/same_trace.h"
#include "base/json.h"
#include "base/text.h"
#include "command.h"
#include "describe/follow.h"
#include "report/freed_early_text.h"
#include "report/leak_point_text.h"
#include "report/leaked_sites.h"
#include "run/again.h"
#include "run/watch_again.h"

#define TRIES 2
#define FOLDER "why" /* of the repeated run, in the recorded one */

/* What was recorded, and what is asked. */
struct why {
	const char *folder;
	struct run *run;
	struct model *model;
	struct stack_table *stacks;
	struct leaks *leaks;
	struct why_options options;
	size_t limit;         /* of the present run */
	uint64_t first, last; /* groups to tell of */
	struct leaks_query query;
	struct baseline *baseline; /* of the query, if nobody gave one */
};

static void open_recorded(struct why *why, const char *folder)
{
	why->folder = folder;
	why->run = open_run(why->folder);
	why->model = model_replay(why->run, NULL);
	why->stacks = stack_table_open(why->run);
	why->query = why->options.query ? *why->options.query : (struct leaks_query){.pid = -1};
	why->baseline = why->options.query ? NULL : kept_baseline(why->run);
	if (why->baseline)
		why->query.baseline = why->baseline;
	/* Its second run has other instants and processes: there all is told of. */
	if (why->run->watched) {
		why->query.nr_spans = 0;
		why->query.pid = -1;
	}
	why->leaks = leaks_find(why->model, why->stacks, &why->query);
}

/* The groups that the user asked for, once it is known how many there are. */
static void choose_groups(struct why *why)
{
	uint64_t nr = why->leaks->nr_groups, wanted = why->options.group;

	if (wanted > nr)
		die("--group: there are %" PRIu64, nr);
	why->first = wanted ? wanted - 1 : 0;
	why->last = wanted ? wanted : nr;
}

static void close_recorded(struct why *why)
{
	leaks_free(why->leaks);
	baseline_free(why->baseline);
	stack_table_close(why->stacks);
	model_free(why->model);
	run_close(why->run);
}

/* All lines of the hooks file that this needs; caller frees. */
static char *make_hooks(const struct why *why, const char *kernel)
{
	char *error = NULL, *own = follow_own_text(kernel, &error);
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	if (!own)
		die("%s", error);
	fputs(own, out);
	leak_points_want(why->leaks, why->limit, out);
	freed_early_want(why->leaks, why->limit, out);
	free(own);
	return text_end(&buffer);
}

/* False: it was no repetition, or went another way, and what it says is about other things. A word on stderr. */
static bool repeat(const struct why *why, struct again *again, const char *folder, const char *hooks)
{
	struct same_trace found = {.what = TRACE_HARTS_DIFFER};

	for (unsigned tries = 0; tries < TRIES && found.what != TRACE_SAME; tries++) {
		char *fault = again_run(again, folder, hooks);
		if (fault) {
			warn("%s", fault);
			free(fault);
			return false;
		}
		struct run *repeated = open_run(folder);
		found = trace_compare(why->run, repeated);
		run_close(repeated);
	}
	if (found.what == TRACE_RECORDS_DIFFER)
		warn("%s: the repeated run went another way, twice: event %" PRIu64 " of hart%u differs",
		     why->folder, found.number, found.hart);
	else if (found.what != TRACE_SAME)
		warn("%s: the repeated run went another way, twice", why->folder);
	return found.what == TRACE_SAME;
}

/* Who is to blame comes first, and the groups for which somebody is come before those that went with others. */
static void print(const struct why *why, const struct leak_points *points, const struct lives *lives)
{
	struct sources sources;

	sources_open(&sources, why->run, NULL);
	if (why->leaks->nr_groups)
		leak_points_print_head(why->leaks, points, why->first, why->last, stdout);
	for (int blamed = 1; blamed >= 0; blamed--) {
		for (size_t g = why->first; g < why->last; g++) {
			if (leak_point_names(why->leaks, points, g) == blamed)
				leak_point_print(why->leaks, &sources, points, why->first, g, stdout);
		}
	}
	sources_close(&sources);
	freed_early_print(why->leaks, why->stacks, lives, stdout);
}

static void print_json(const struct why *why, const struct leak_points *points, const struct lives *lives,
		       int status)
{
	struct json json;

	json_begin_command(&json, stdout, "why",
			   status == STATUS_OK       ? "no leaks"
			   : status == STATUS_LEAKED ? "leaked"
						     : "cannot tell");
	json_string(&json, "run", why->folder);
	json_open(&json, "groups", '[');
	for (size_t g = why->first; g < why->last; g++)
		leak_point_json(why->leaks, why->stacks, points, g, &json);
	json_close(&json, ']');
	json_open(&json, "freed_early", '[');
	freed_early_json(why->leaks, why->stacks, lives, &json);
	json_close(&json, ']');
	json_end(&json);
}

static int tell(struct why *why, const char *leak_points)
{
	struct lives lives;
	char *error;

	if (!lives_read(&lives, leak_points, &error))
		die("%s", error);
	choose_groups(why);
	struct leak_points points = leak_points_judge(why->leaks, why->stacks, &lives, why->limit);
	if (why->options.json)
		print_json(why, &points, &lives, why->leaks->status);
	else
		print(why, &points, &lives);
	leak_points_free(&points);
	lives_free(&lives);
	return why->leaks->status;
}

static int nothing_leaked(const struct why *why)
{
	const struct leaks *leaks = why->leaks;

	if (why->options.json)
		print_json(why, NULL, NULL, leaks->status);
	else if (leaks->status == STATUS_OK)
		printf("no leaks in %s\n", why->folder);
	else if (leaks->status == STATUS_LEAKED)
		printf("No leak was found in %s; `pagetrail leaks` has its other findings.\n", why->folder);
	else
		printf("No leak was found in %s, but that is not certain: %s.\n", why->folder,
		       leaks_uncertain(leaks));
	return leaks->status;
}

/*
 * Two that repeat one run would read each other's traces: the second one is refused. The lock is on run.json, since the folder itself is
 * locked by who records it, which may be we (`run --why`). -1: there is none, and the run cannot be repeated.
 */
static int lock_run(const char *folder)
{
	char *path = xasprintf("%s/run.json", folder);
	int lock = open(path, O_RDONLY | O_CLOEXEC);

	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		die("%s: another pagetrail is repeating it", folder);
	free(path);
	return lock;
}

/* Nobody sees a half of it, nor what cannot be believed. */
static void keep_points(const char *folder, const char *kept)
{
	char *points = xasprintf("%s/icount/leak-points", folder), *part = xasprintf("%s.part", kept), *fault;
	struct lives lives;

	if (!lives_read(&lives, points, &fault))
		die("%s", fault);
	lives_free(&lives);
	if (file_copy(points, part) || rename(part, kept)) {
		int error = errno;
		unlink(part);
		die("%s: %s", kept, strerror(error));
	}
	free(points);
	free(part);
}

/* Leaves LEAK_POINTS_REPEATED where the repetition was the same; false, and a word on stderr. */
static bool repeat_own(const struct why *why)
{
	char *kept = xasprintf("%s/" LEAK_POINTS_REPEATED, why->folder),
	     *folder = xasprintf("%s/" FOLDER, why->folder), *error;
	struct again again;
	bool same = false;
	int lock = lock_run(why->folder);

	if (again_read(&again, why->folder, &error)) {
		error = again_unfit(why->run);
		char *hooks = make_hooks(why, again.kernel);
		same = !error && repeat(why, &again, folder, hooks);
		free(hooks);
		again_free(&again);
	}
	if (error)
		warn("%s", error);
	if (same)
		keep_points(folder, kept);
	free(error);
	free(folder);
	free(kept);
	close(lock);
	return same;
}

/* Is there a group of which not all is followed? */
static bool limited(const struct why *why)
{
	for (size_t g = 0; g < why->leaks->nr_groups; g++) {
		if (why->leaks->groups[g].nr_items > why->limit)
			return true;
	}
	return false;
}

static void say_repeated(const struct why *why)
{
	bool early = freed_early_count(why->leaks) != 0;

	printf("%s was repeated, event by event, and every pointer to ", why->folder);
	if (limited(why))
		printf("the first %zu of each group was followed\n\n", why->limit);
	else
		printf("what %s was followed\n\n", !early                  ? "leaked"
						   : why->leaks->nr_groups ? "leaked or was freed too early"
									   : "was freed too early");
}

/* A run of our kernel: repeated event by event, with what leaked followed; then its leaks are judged with what came of it. */
static int why_own(struct why *why)
{
	char *kept = xasprintf("%s/" LEAK_POINTS_REPEATED, why->folder);
	int status = STATUS_CANNOT_TELL;

	choose_groups(why); /* before the machine runs */
	if (why->options.before == WHY_REPEATED && access(kept, R_OK)) {
		warn("%s was not repeated before: `pagetrail why %s` does that", why->folder, why->folder);
	} else if (why->options.before == WHY_REPEATED ||
		   (why->options.before == WHY_NOT_TRIED && repeat_own(why))) {
		const char *folder = why->folder;
		close_recorded(why);
		open_recorded(why, folder);
		if (!why->options.json)
			say_repeated(why);
		status = tell(why, kept);
		/* Who asks later would take those that were left out for ones that the plugin could not follow. */
		if (limited(why) && why->options.before == WHY_NOT_TRIED)
			unlink(kept);
	}
	free(kept);
	return status;
}

enum why_before why_repeat(const char *folder)
{
	struct why why = {.limit = WHY_LIMIT};
	enum why_before before = WHY_NOT_TRIED;

	open_recorded(&why, folder);
	if ((why.leaks->nr_groups || freed_early_count(why.leaks)) && !why.run->watched &&
	    !why.leaks->nr_followed)
		before = repeat_own(&why) ? WHY_REPEATED : WHY_FAILED;
	close_recorded(&why);
	return before;
}

/* What the second run of a watched machine leaked, beside the recorded one: what follows is about the second. */
static void say_what_differs(const struct why *why, const struct leaked_sites *recorded, uint64_t nr_recorded,
			     size_t early_recorded)
{
	size_t early = freed_early_count(why->leaks);
	struct leaked_sites now = leaked_sites_take(why->leaks);
	char *differs = leaked_sites_differ(recorded, &now);

	if (!why->options.json)
		printf("the machine was run again, with every pointer to a page followed: %" PRIu64
		       " %s leaked, %" PRIu64 " in the recorded run\n",
		       why->leaks->nr_pages, plural(why->leaks->nr_pages, "page", "pages"), nr_recorded);
	if (!why->options.json && (early || early_recorded))
		printf("findings of pages that are freed too early: %zu, %zu in the recorded run\n", early,
		       early_recorded);
	if (differs && why->options.json)
		warn("%s; the answer is about the second run", differs);
	else if (differs)
		printf("%s. What follows is about the second run.\n", differs);
	if (!why->options.json)
		putchar('\n');
	free(differs);
	leaked_sites_free(&now);
}

/* A watched run: the second one leaks by itself, and is told of. */
static int why_watched(struct why *why)
{
	struct leaked_sites recorded = leaked_sites_take(why->leaks);
	uint64_t leaked = why->leaks->nr_pages;
	size_t early = freed_early_count(why->leaks);
	char *folder = xasprintf("%s/" FOLDER, why->folder),
	     *leak_points = xasprintf("%s/leak-points", folder), *error;
	int status = STATUS_CANNOT_TELL, lock = lock_run(why->folder);

	if (!watch_again(why->folder, FOLDER, &error)) {
		warn("%s", error);
		free(error);
	} else {
		close_recorded(why);
		open_recorded(why, folder);
		why->limit = SIZE_MAX;
		bool shows = why->leaks->nr_groups || freed_early_count(why->leaks);
		if (shows)
			say_what_differs(why, &recorded, leaked, early);
		else
			warn("%s: the machine that was run again leaked nothing%s, which shows nothing of "
			     "what "
			     "%s before",
			     folder, early ? ", and freed nothing too early" : "",
			     early ? "was found" : "leaked");
		if (shows)
			status = tell(why, leak_points);
		else if (why->options.json)
			print_json(why, NULL, NULL, status);
	}
	leaked_sites_free(&recorded);
	free(folder);
	free(leak_points);
	close(lock);
	return status;
}

/* All pointers were followed when it was recorded: it is not repeated. */
static int why_followed(struct why *why)
{
	char *path = leaks_pointers_file(why->run);

	why->limit = SIZE_MAX;
	if (!why->options.json)
		printf("all pointers were followed in this run\n\n");
	int status = tell(why, path);
	free(path);
	return status;
}

int why_report(const char *folder, const struct why_options *options)
{
	struct why why = {.options = *options, .limit = options->limit};
	int status;

	open_recorded(&why, folder);
	if (!why.leaks->nr_groups && !freed_early_count(why.leaks))
		status = nothing_leaked(&why);
	else if (why.leaks->nr_followed)
		status = why_followed(&why);
	else if (why.run->watched && options->before == WHY_REPEATED)
		die("--no-repeat: a watched run keeps its repetition in %s/" FOLDER
		    ": ask `pagetrail leaks` about that",
		    folder);
	else if (why.run->watched)
		status = why_watched(&why);
	else
		status = why_own(&why);
	close_recorded(&why);
	return status;
}

static int why_run(const struct arguments *arguments)
{
	struct why_options options = {.limit = option_number(arguments, "limit", WHY_LIMIT, 1, 1000000),
				      .group = option_number(arguments, "group", 0, 1, UINT64_MAX),
				      .json = option(arguments, "json") != NULL,
				      .before =
					  option(arguments, "no-repeat") ? WHY_REPEATED : WHY_NOT_TRIED};

	return why_report(arguments->operands[0], &options);
}

static const struct option_spec options[] = {
    {"group", "N", "tell only of the N-th group of `pagetrail leaks`"},
    {"limit", "N", "follow at most so many of each group (" WHY_LIMIT_TEXT ")"},
    {"no-repeat", NULL, "run nothing: tell from what the last repetition of this run left in it"},
    {"json", NULL, "as JSON"},
    {NULL, NULL, NULL},
};

const struct command command_why = {
    .name = "why",
    .operands = "RUN",
    .summary = "repeat a run and say where the last pointer to what leaked died, and who is to blame",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = why_run,
};
