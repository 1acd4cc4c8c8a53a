/* SPDX-License-Identifier: MIT */
/* watch: the side of `pagetrail watch`. See watch.h. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "process.h"
#include "watch_priv.h"

#define RUNS_FOLDER "pagetrail-runs"

/* ---- folders ---- */

char *watch_dated_folder(const char *parent)
{
	time_t now = time(NULL);
	char text[32], *path;

	if (make_folders(parent))
		die("%s: %s; --out puts it elsewhere", parent, strerror(errno));
	path = xasprintf("%s/.gitignore", parent);
	FILE *ignore = fopen(path, "wx");
	free(path);
	if (ignore) {
		fputs("*\n", ignore);
		fclose(ignore);
	}
	strftime(text, sizeof(text), "%Y%m%d-%H%M%S", localtime(&now));
	return xasprintf("%s/%s", parent, text);
}

static char *absolute(const char *path)
{
	char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
	char *text = folder ? xasprintf("%s/%s", folder, path) : xstrdup(path);

	free(folder);
	return text;
}

static struct watch *with_stand_in;

static void remove_stand_in(struct watch *watch)
{
	char *link = xasprintf("%s/" WATCH_QEMU, watch->stand_in),
	     *calls = xasprintf("%s/" WATCH_CALLS, watch->stand_in);

	with_stand_in = NULL;
	free(file_read_all(calls, &watch->nr_calls));
	unlink(calls);
	free(calls);
	unlink(link);
	unlink(watch->list);
	rmdir(watch->stand_in);
	free(link);
}

/* die() may come between: a pattern that is none, a folder that cannot be made. */
static void remove_at_exit(void)
{
	if (with_stand_in)
		remove_stand_in(with_stand_in);
}

static void make_stand_in(struct watch *watch)
{
	const char *tmp = getenv("TMPDIR");
	char self[4096];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (bytes < 0)
		die("/proc/self/exe: %s", strerror(errno));
	self[bytes] = 0;
	watch->stand_in = xasprintf("%s/pagetrail-watch-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(watch->stand_in))
		die("%s: %s", watch->stand_in, strerror(errno));
	watch->list = xasprintf("%s/runs", watch->stand_in);
	with_stand_in = watch;
	atexit(remove_at_exit);
	char *link = xasprintf("%s/" WATCH_QEMU, watch->stand_in);
	if (symlink(self, link))
		die("%s: %s", link, strerror(errno));
	free(link);
}

/* ---- the command ---- */

static void set_or_unset(const char *name, const char *value)
{
	if (value ? setenv(name, value, 1) : unsetenv(name))
		die("out of memory");
}

static void set_environment(const struct watch *watch)
{
	const struct watch_options *options = watch->options;
	const char *path = getenv("PATH");
	char *with = xasprintf("%s:%s", watch->stand_in, path ? path : "/usr/bin:/bin");
	char *folder = options->folder ? absolute(options->folder) : NULL, *relative = NULL;
	char *description = options->description ? absolute(options->description) : NULL;
	char *elf = options->elf ? absolute(options->elf) : NULL;
	char *symbols = options->symbols ? absolute(options->symbols) : NULL;

	if (!folder) {
		relative = watch_dated_folder(RUNS_FOLDER);
		folder = absolute(relative);
	}
	set_or_unset("PATH", with);
	set_or_unset(WATCH_ENV_STAND_IN, watch->stand_in);
	set_or_unset(WATCH_ENV_FOLDER, folder);
	set_or_unset(WATCH_ENV_DESCRIPTION, description);
	set_or_unset(WATCH_ENV_ELF, elf);
	set_or_unset(WATCH_ENV_SYMBOLS, symbols);
	set_or_unset(WATCH_ENV_WRITES, options->check_writes ? "1" : NULL);
	static const char *const follow[] = {NULL, "1", "2"};
	set_or_unset(WATCH_ENV_FOLLOW, follow[options->follow]);
	free(with);
	free(folder);
	free(relative);
	free(description);
	free(elf);
	free(symbols);
}

/* The lines that stand-ins have written by now. A line that is not whole yet waits for the next look. */
void watch_read_runs(struct watch *watch)
{
	size_t bytes;
	char *text = file_read_all(watch->list, &bytes), *rest = text, *line;
	size_t i = 0;

	while (text && (line = strsep(&rest, "\n")) && rest) {
		char *blank = strchr(line, ' ');
		if (blank && i++ >= watch->nr_runs)
			ARRAY_PUSH(watch->runs, watch->nr_runs, watch->capacity) =
			    (struct watch_run){.pid = (pid_t)atol(line), .folder = xstrdup(blank + 1)};
	}
	free(text);
}

bool watch_machine_ended(const struct watch_run *run)
{
	return process_await_end(run->pid, 0);
}

/* Whoever started a machine may have ended before it, as by the interrupt that both got; it still writes its copy of RAM. */
static void await_machines(const struct watch *watch)
{
	for (size_t i = 0; i < watch->nr_runs; i++)
		process_await_end(watch->runs[i].pid, WATCH_END_SECONDS * 1000);
}

/* SIGTERM: QEMU then ends in order, the plugin with it. */
void watch_end_machines(struct watch *watch, int signal)
{
	watch_read_runs(watch);
	for (size_t i = 0; i < watch->nr_runs; i++)
		kill(watch->runs[i].pid, signal);
}

/* ---- a kernel that never begins ---- */

static bool has_bytes(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	struct stat about;
	bool any = !stat(path, &about) && about.st_size > 0;

	free(path);
	return any;
}

/* Any hart may be the first one to record something. */
static bool is_silent(const struct watch_run *run)
{
	for (unsigned hart = 0; hart < 64; hart++) {
		char name[32];
		snprintf(name, sizeof(name), "trace/hart%u", hart);
		if (has_bytes(run->folder, name))
			return false;
	}
	return !has_bytes(run->folder, "logs/console.log");
}

void watch_look_silent(struct watch *watch)
{
	watch_read_runs(watch);
	for (size_t i = 0; i < watch->nr_runs; i++) {
		struct watch_run *run = &watch->runs[i];
		if (run->nr_silent >= SILENT_LOOKS || watch_machine_ended(run))
			continue;
		run->nr_silent = is_silent(run) ? run->nr_silent + 1 : 0;
		if (run->nr_silent == SILENT_LOOKS)
			warn("the kernel has said and recorded nothing for %d seconds; it is still waited "
			     "for. xv6 of 2020 and before may need -cpu rv64,pmp=false: `make "
			     "QEMU=\"" WATCH_QEMU
			     " -cpu rv64,pmp=false\" qemu`; later ones do not start with it",
			     SILENT_LOOKS * SILENT_LOOK_SECONDS);
	}
}

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	if (signal != SIGALRM)
		interrupted = signal;
}

/* The terminal's interrupt is for the command, as under any shell; what is meant for us ends the machines. */
static void run_in_place(struct watch *watch)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, end = {.sa_handler = on_signal};
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		execvp(watch->options->command[0], watch->options->command);
		fprintf(stderr, "pagetrail: %s: %s\n", watch->options->command[0], strerror(errno));
		_exit(127);
	}
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	sigaction(SIGALRM, &end, NULL);
	alarm(SILENT_LOOK_SECONDS);
	while (waitpid(pid, &watch->command_status, 0) < 0 && errno == EINTR) {
		watch_look_silent(watch);
		alarm(SILENT_LOOK_SECONDS);
		if (!interrupted)
			continue;
		interrupted = 0; /* the next look is no second interrupt */
		watch->end = WATCH_INTERRUPTED;
		watch->end_text = "interrupted";
		watch_end_machines(watch, SIGTERM);
		kill(pid, SIGTERM);
	}
	alarm(0);
}

struct watch *watch_run(const struct watch_options *options)
{
	struct watch *watch = xcalloc(1, sizeof(*watch));

	watch->options = options;
	make_stand_in(watch);
	set_environment(watch);
	if (options->typed || options->until || options->timeout_seconds)
		watch_drive(watch);
	else
		run_in_place(watch);
	watch_read_runs(watch);
	await_machines(watch);
	remove_stand_in(watch);
	return watch;
}

void watch_free(struct watch *watch)
{
	for (size_t i = 0; i < watch->nr_runs; i++)
		free(watch->runs[i].folder);
	free(watch->runs);
	free(watch->stand_in);
	free(watch->list);
	free(watch->first_error);
	free(watch->last_line);
	free(watch);
}
