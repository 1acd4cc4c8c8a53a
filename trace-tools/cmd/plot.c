/* SPDX-License-Identifier: MIT */
/* pagetrail plot: hands runs to plots/plot.py, with a Python that has matplotlib. */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "command.h"
#include "run/drain.h"

extern char **environ;

/* Runs a program to its end; its exit status, -1 when it could not run. */
static int spawn(char *const argv[], bool silent)
{
	posix_spawn_file_actions_t actions;
	int status = 0;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (silent)
		posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
	int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* The system's Python has Debian's matplotlib whatever comes first in PATH. */
static const char *find_python(void)
{
	static const char *const candidates[] = {"/usr/bin/python3", "python3"};
	static char finds[] = "import importlib.util as u, sys; "
			      "sys.exit(not all(map(u.find_spec, ('numpy', 'matplotlib'))))";
	const char *chosen = getenv("PAGETRAIL_PYTHON");

	if (chosen)
		return chosen;
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
		char *argv[] = {(char *)candidates[i], "-c", finds, NULL};
		if (spawn(argv, true) == 0)
			return candidates[i];
	}
	return NULL;
}

/* The folder of this program, with room for more behind it. */
static char *own_folder(char self[PATH_MAX])
{
	ssize_t nr = readlink("/proc/self/exe", self, PATH_MAX - 1);

	self[nr < 0 ? 0 : nr] = 0;
	char *slash = strrchr(self, '/'), *folder = xstrdup(self);
	folder[slash ? slash - self : 0] = 0;
	return folder;
}

/* The build puts the scripts, and the tables they need, beside the program. */
static char *find_script(const char *folder)
{
	static const char *const places[] = {"plots", "../share/pagetrail/plots"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = xasprintf("%s/%s/plot.py", folder, places[i]);
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}

/* Pictures of some runs, each "PICTURE=OUT": OUT.png and OUT.svg. 0 or STATUS_CANNOT_TELL. */
static int draw(char *const *pictures, size_t nr_pictures, char *const *runs, size_t nr_runs)
{
	char self[PATH_MAX], *folder = own_folder(self), *script = find_script(folder);
	const char *python = find_python();
	int status = STATUS_CANNOT_TELL;

	if (!python || !script) {
		warn("cannot draw: %s",
		     python ? "plots/plot.py is not beside the program"
			    : "no Python with numpy and matplotlib (Debian: python3-matplotlib)");
	} else {
		char **argv = xcalloc(nr_pictures + nr_runs + 4, sizeof(*argv));
		const char *const words[] = {python, script, self};
		memcpy(argv, words, sizeof(words));
		memcpy(argv + 3, pictures, nr_pictures * sizeof(*argv));
		memcpy(argv + 3 + nr_pictures, runs, nr_runs * sizeof(*argv));
		if (spawn(argv, false) == 0)
			status = 0;
		free(argv);
	}
	free(script);
	free(folder);
	return status;
}

/* ---- the command ---- */

static const struct picture {
	const char *what, *file;
} pictures[] = {
    {"free", RUN_FREE_PAGES}, {"kinds", RUN_KINDS}, {"map", RUN_PAGE_MAP}, {"lifetimes", RUN_LIFETIMES}};
#define NR_PICTURES (sizeof(pictures) / sizeof(pictures[0]))

int plot_run(const char *folder, const char *out)
{
	char *picture = out ? xasprintf("%s=%s", pictures[0].what, out)
			    : xasprintf("%s=%s/%s", pictures[0].what, folder, pictures[0].file);
	int status = draw(&picture, 1, (char *const[]){(char *)folder}, 1);

	free(picture);
	return status;
}

static const char *out_of(const char *picture)
{
	return strchr(picture, '=') + 1;
}

/* Says what was written; wanted: "PICTURE=OUT". */
static void tell(const struct arguments *arguments, char *const *wanted, size_t nr, int status)
{
	struct json json;

	if (!option(arguments, "json")) {
		for (size_t i = 0; i < nr; i++)
			fprintf(stderr, "plot: %s.png %s.svg\n", out_of(wanted[i]), out_of(wanted[i]));
		return;
	}
	json_begin_command(&json, stdout, "plot", status ? "cannot tell" : "drawn");
	json_open(&json, "files", '[');
	for (size_t i = 0; i < nr; i++) {
		char *png = xasprintf("%s.png", out_of(wanted[i])),
		     *svg = xasprintf("%s.svg", out_of(wanted[i]));
		json_string(&json, NULL, png);
		json_string(&json, NULL, svg);
		free(png);
		free(svg);
	}
	json_close(&json, ']');
	json_end(&json);
}

static int plot_command(const struct arguments *arguments)
{
	const char *what = option(arguments, "what"), *out = option(arguments, "out");
	bool several = arguments->nr_operands > 1, all = what && !strcmp(what, "all"), known = all;
	char *wanted[NR_PICTURES];
	size_t nr = 0;
	bool complete = true;

	for (size_t i = 0; i < NR_PICTURES; i++)
		known = known || !what || !strcmp(what, pictures[i].what);
	if (!known || (several && what))
		die(several ? "plot: of several runs there is one picture; leave --what out"
			    : "--what: free, kinds, map, lifetimes or all, not %s",
		    what);
	for (int i = 0; i < arguments->nr_operands; i++) {
		struct run *run = open_run(arguments->operands[i]);
		struct model *model =
		    model_replay(run, NULL); /* only all records tell whether some are lost */
		run_print_losses(run, stderr);
		complete = complete && run_complete(run);
		if (several && model_stopped_early(model)) {
			warn("%s is not compared at its end: %s", run->folder, model_stopped_early(model));
			complete = false;
		}
		model_free(model);
		run_close(run);
	}
	if (several)
		wanted[nr++] = xasprintf("compare=%s", out ? out : "comparison");
	for (size_t i = 0; i < NR_PICTURES && !several; i++) {
		const char *picture = pictures[i].what, *file = pictures[i].file;
		if (!all && strcmp(what ? what : "free", picture))
			continue;
		wanted[nr++] = !out  ? xasprintf("%s=%s/%s", picture, arguments->operands[0], file)
			       : all ? xasprintf("%s=%s-%s", picture, out, file)
				     : xasprintf("%s=%s", picture, out);
	}
	int status = draw(wanted, nr, arguments->operands, (size_t)arguments->nr_operands);
	int verdict = complete ? status : STATUS_CANNOT_TELL;
	tell(arguments, wanted, status ? 0 : nr, verdict);
	while (nr)
		free(wanted[--nr]);
	return verdict;
}

static const struct option_spec options[] = {
    {"what", "free|kinds|map|lifetimes|all", "which picture (free)"},
    {"out", "PATH", "write PATH.png and PATH.svg; -o PATH for short (RUN/free-pages and so on)"},
    {"json", NULL, "say as JSON which files were written"},
    {NULL, NULL, NULL},
};

const struct command command_plot = {
    .name = "plot",
    .operands = "RUN [RUN...]",
    .summary = "draw free pages, kinds, the map of RAM or lifetimes; or compare runs",
    .min_operands = 1,
    .max_operands = 6,
    .options = options,
    .run = plot_command,
};
