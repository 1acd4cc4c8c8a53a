/* pagetrail plot: hands a run to plots/free_pages.py, with a Python that has matplotlib. */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

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
	const char *chosen = getenv("PAGETRAIL_PYTHON");

	if (chosen)
		return chosen;
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
		char *argv[] = {(char *)candidates[i], "-c", "import numpy, matplotlib", NULL};
		if (spawn(argv, true) == 0)
			return candidates[i];
	}
	return NULL;
}

/* The build puts the scripts, and the tables they need, beside the program. */
static char *find_script(const char *name)
{
	char self[PATH_MAX];
	ssize_t nr = readlink("/proc/self/exe", self, sizeof(self) - 1);
	static const char *const places[] = {"plots", "../share/pagetrail/plots"};

	self[nr < 0 ? 0 : nr] = 0;
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = xasprintf("%s/%s/%s", self, places[i], name);
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}

int plot_run(const char *folder, const char *out)
{
	const char *python = find_python();
	char *script = find_script("free_pages.py"),
	     *to = out ? xstrdup(out) : xasprintf("%s/free-pages", folder);

	if (!python || !script) {
		warn("cannot draw: %s",
		     python ? "plots/free_pages.py is not beside the program"
			    : "no Python with numpy and matplotlib (Debian: python3-matplotlib)");
		free(script);
		free(to);
		return STATUS_CANNOT_TELL;
	}
	char *argv[] = {(char *)python, script, (char *)folder, to, NULL};
	int status = spawn(argv, false);
	free(script);
	free(to);
	return status == 0 ? 0 : STATUS_CANNOT_TELL;
}

static int plot_command(const struct arguments *arguments)
{
	return plot_run(arguments->operands[0], option(arguments, "out"));
}

static const struct option_spec options[] = {
    {"out", "PATH", "write PATH.png and PATH.svg (RUN/free-pages)"},
    {NULL, NULL, NULL},
};

const struct command command_plot = {
    .name = "plot",
    .operands = "RUN",
    .summary = "draw free pages over time with the tests marked",
    .description = "Writes a PNG and an SVG. The curve is exact: every page_alloc and page_free; the "
		   "kernel's own samples fix its\n"
		   "height and are drawn as dots, so that a disagreement shows.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = plot_command,
};
