/*
 * pagetrail run: starts a machine, empties its trace rings while it runs, and leaves a run folder.
 *
 * One thread: it waits for the console, the user, signals and QEMU's end, and between those looks at the rings. They
 * are memory that QEMU shares with us, which tells nobody when it changes; so they are looked at often while
 * packets come (DRAIN_BUSY_NS) and seldom while none do.
 *
 * The folder can be read at any time, and stays readable however this ends: each file is written front to back in whole
 * packets. What stands in the rings when the machine stops, or is killed, is taken afterwards from its memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "../lib/json.h"
#include "session.h"

#define DRAIN_BUSY_NS 100000L /* a hart fills a packet of 64 KiB in some milliseconds */
#define DRAIN_IDLE_NS 4000000L
#define KILL_AFTER_NS 3000000000LL /* between asking QEMU to end and making it */
#define SHM_FOLDER "/dev/shm"
#define RAM_PREFIX "pagetrail-ram-"
#define ESCAPE_KEY 1 /* ctrl-A, then x ends the machine, as in QEMU */

static int64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* ---- preparing ---- */

static char *default_folder(void)
{
	time_t now = time(NULL);
	char text[32];

	strftime(text, sizeof(text), "%Y%m%d-%H%M%S", localtime(&now));
	return xasprintf("traces/runs/%s-%d", text, (int)getpid());
}

/* RAM in /dev/shm, where it costs no disk writes; in the run folder where that is too small. */
static char *choose_ram_path(const char *folder, uint64_t bytes)
{
	struct statvfs shm;
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	guest_sweep(SHM_FOLDER, RAM_PREFIX);
	if (!statvfs(SHM_FOLDER, &shm) && (uint64_t)shm.f_bavail * shm.f_bsize > bytes + (16 << 20) &&
	    !access(SHM_FOLDER, W_OK))
		return xasprintf("%s/%s%d-%lx", SHM_FOLDER, RAM_PREFIX, (int)getpid(), time.tv_nsec);
	return xasprintf("%s/ram", folder);
}

/* run=CMD,ARG or run="CMD ARG": the kernel takes commas for blanks when there is no blank. */
static char *join_command(int nr, char **words)
{
	char *text = xstrdup("");

	for (int i = 0; i < nr; i++) {
		if (strchr(words[i], '"'))
			die("the guest's command cannot hold a quotation mark: %s", words[i]);
		char *more = xasprintf("%s%s%s", text, i ? " " : "", words[i]);
		free(text);
		text = more;
	}
	return text;
}

static char *build_append(const struct arguments *arguments, const char *mode)
{
	const char *extra = option(arguments, "append");
	char *command = join_command(arguments->nr_rest, arguments->rest);
	char *text = xasprintf("trace=%s%s%s%s%s%s%s", mode, extra && *extra ? " " : "", extra ? extra : "",
			       *command ? " run=" : "", strchr(command, ' ') ? "\"" : "", command,
			       strchr(command, ' ') ? "\"" : "");

	free(command);
	return text;
}

static void read_options(struct session *session)
{
	const struct arguments *arguments = session->arguments;
	struct machine_config *config = &session->config;
	const char *mem = option(arguments, "mem"), *disk_mode = option(arguments, "disk-mode");
	const char *out = option(arguments, "out"), *gdb = option(arguments, "gdb");

	config->kernel =
	    option(arguments, "kernel") ? option(arguments, "kernel") : "build/kernel/pagetrail.elf";
	config->disk = option(arguments, "disk") ? option(arguments, "disk") : "build/disk.img";
	config->smp = (uint32_t)option_number(arguments, "smp", 4, 1, 8);
	if (!size_parse(mem ? mem : "128M", &config->ram_bytes))
		die("--mem: %s is no size", mem);
	if (disk_mode && strcmp(disk_mode, "ramdisk") && strcmp(disk_mode, "virtio"))
		die("--disk-mode: ramdisk or virtio, not %s", disk_mode);
	config->disk_virtio = disk_mode && !strcmp(disk_mode, "virtio");
	config->icount = option(arguments, "icount") != NULL;
	config->at_prompt = arguments->nr_rest == 0;
	config->gdb_port = gdb ? (uint32_t)option_number(arguments, "gdb", 1234, 1, 65535) : 0;
	config->stopped = option(arguments, "stop") != NULL;
	session->mode = option(arguments, "mode") ? option(arguments, "mode") : "stream";
	if (strcmp(session->mode, "stream") && strcmp(session->mode, "flight") &&
	    strcmp(session->mode, "off"))
		die("--mode: stream, flight or off, not %s", session->mode);
	if (access(config->kernel, R_OK))
		die("%s: %s (`make kernel` builds it)", config->kernel, strerror(errno));
	if (access(config->disk, R_OK))
		die("%s: %s (`make disk` builds it)", config->disk, strerror(errno));
	session->folder = out ? xstrdup(out) : default_folder();
	session->append = build_append(arguments, session->mode);
	config->append = session->append;
	uint64_t timeout = option_number(arguments, "timeout", 0, 1, 1000000);
	session->deadline = timeout ? now_ns() + (int64_t)timeout * 1000000000LL : 0;
}

static void find_desc_address(struct session *session)
{
	char *problem;
	struct symbols *symbols = symbols_open(session->config.kernel, &problem);
	uint64_t va;

	if (!symbols_value(symbols, "trace_desc", &va))
		die("%s: no symbol trace_desc: is this a Pagetrail kernel?", session->config.kernel);
	session->desc_pa = va >= PHYS_OFFSET ? va - PHYS_OFFSET : va;
	symbols_close(symbols);
	free(problem);
}

/* The disk that a virtio machine writes: a copy that the user named, else nothing is kept. */
static void prepare_disk(struct session *session)
{
	const char *out = option(session->arguments, "disk-out");

	if (!session->config.disk_virtio || !out)
		return;
	if (file_copy(session->config.disk, out))
		die("%s: %s", out, strerror(errno));
	session->config.disk = out;
	session->config.disk_writable = true;
}

/* Nothing of an earlier run stays, from before this one begins: whoever looks sees this one or none. */
static void clear_folder(const char *folder)
{
	static const char *const names[] = {"ram", "logs/panic.log", "logs/recover.log"};

	drain_clear(folder);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s/%s", folder, names[i]);
		unlink(path);
		free(path);
	}
}

static void prepare_folder(struct session *session)
{
	char *kernel_folder = xasprintf("%s/kernel", session->folder),
	     *logs = xasprintf("%s/logs", session->folder);
	char *kernel = xasprintf("%s/pagetrail.elf", kernel_folder), *log = xasprintf("%s/console.log", logs);

	if (make_folders(kernel_folder) || make_folders(logs))
		die("%s: %s", session->folder, strerror(errno));
	clear_folder(session->folder);
	if (file_copy(session->config.kernel, kernel))
		die("%s: %s", kernel, strerror(errno));
	session->console.log = fopen(log, "wb");
	if (!session->console.log)
		die("%s: %s", log, strerror(errno));
	free(kernel_folder);
	free(logs);
	free(kernel);
	free(log);
}

static void prepare_console(struct session *session)
{
	bool progress = option(session->arguments, "progress"),
	     quiet = option(session->arguments, "quiet") || option(session->arguments, "json");

	session->console.view = quiet ? CONSOLE_NOTHING : progress ? CONSOLE_PROGRESS : CONSOLE_ALL;
	session->console.terminal = isatty(2);
	session->input_open = true;
	if (session->arguments->nr_rest || quiet || progress)
		session->input_open = false;
	session->interactive = session->input_open && isatty(0) && !tcgetattr(0, &session->terminal);
	if (session->interactive) {
		struct termios raw = session->terminal;
		cfmakeraw(&raw);
		raw.c_oflag |= OPOST;
		tcsetattr(0, TCSANOW, &raw);
		fprintf(stderr, "(ctrl-A x ends the machine)\r\n");
	}
}

/* ---- while it runs ---- */

static void ask_to_end(struct session *session, enum run_end end)
{
	if (!session->ending)
		session->end = end;
	kill(session->qemu.pid, session->ending ? SIGKILL : SIGTERM);
	session->ending = true;
	session->kill_at = now_ns() + KILL_AFTER_NS;
}

static void take_input(struct session *session)
{
	char bytes[256];
	ssize_t nr = read(0, bytes, sizeof(bytes));

	if (nr <= 0) {
		session->input_open = false;
		return;
	}
	for (ssize_t i = 0; i < nr; i++) {
		if (session->interactive && !session->escape && bytes[i] == ESCAPE_KEY) {
			session->escape = true;
			continue;
		}
		if (session->escape && bytes[i] == 'x') {
			ask_to_end(session, END_INTERRUPTED);
			return;
		}
		session->escape = false;
		if (write(session->qemu.in, &bytes[i], 1) < 0 && errno == EPIPE)
			session->input_open = false;
	}
}

/* False at its end. */
static bool take_console(struct session *session)
{
	char bytes[4096];
	ssize_t nr = read(session->qemu.out, bytes, sizeof(bytes));

	if (nr > 0)
		console_take(&session->console, bytes, (size_t)nr);
	return nr > 0;
}

static bool take_qemu_words(struct session *session)
{
	char bytes[1024];
	ssize_t nr = read(session->qemu.err, bytes, sizeof(bytes));

	if (nr <= 0)
		return false;
	session->qemu_words = xrealloc(session->qemu_words, session->qemu_words_bytes + (size_t)nr + 1);
	memcpy(session->qemu_words + session->qemu_words_bytes, bytes, (size_t)nr);
	session->qemu_words_bytes += (size_t)nr;
	session->qemu_words[session->qemu_words_bytes] = 0;
	return true;
}

static void take_signals(struct session *session)
{
	struct signalfd_siginfo info;

	while (read(session->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			ask_to_end(session, END_INTERRUPTED);
	}
}

static void start_draining(struct session *session)
{
	const char *fault;
	char *trace;

	if (session->guest.desc || session->desc_fault)
		return;
	if (!guest_find_desc(&session->guest, session->desc_pa, &fault)) {
		session->desc_fault = fault;
		return;
	}
	if (!strcmp(session->mode, "off"))
		return;
	trace = xasprintf("%s/trace", session->folder);
	if (!drain_open(&session->drain, &session->guest, trace))
		die("%s: %s", trace, strerror(errno));
	free(trace);
	session->draining = true;
}

static void check_times(struct session *session)
{
	int64_t now = now_ns();

	if (session->deadline && now >= session->deadline && !session->ending)
		ask_to_end(session, END_TIMEOUT);
	if (session->kill_at && now >= session->kill_at) {
		kill(session->qemu.pid, SIGKILL);
		session->kill_at = now + KILL_AFTER_NS;
	}
}

static void relay(struct session *session)
{
	struct pollfd fds[4] = {{.fd = session->signals, .events = POLLIN},
				{.fd = session->qemu.out, .events = POLLIN},
				{.fd = session->qemu.err, .events = POLLIN},
				{.fd = session->input_open ? 0 : -1, .events = POLLIN}};
	long pause_ns = DRAIN_BUSY_NS;

	while (!qemu_poll(&session->qemu)) {
		struct timespec pause = {0, pause_ns};
		start_draining(session);
		/* What comes in bursts is not over when one look finds nothing: back off slowly. */
		if (session->draining && drain_step(&session->drain))
			pause_ns = DRAIN_BUSY_NS;
		else if (pause_ns < DRAIN_IDLE_NS)
			pause_ns += pause_ns / 4;
		if (session->draining && session->drain.error && !session->ending) {
			warn("%s: %s: the machine is ended", session->folder, strerror(session->drain.error));
			ask_to_end(session, END_QEMU_FAILED);
		}
		if (ppoll(fds, 4, &pause, NULL) > 0) {
			if (fds[0].revents)
				take_signals(session);
			if (fds[1].revents && !take_console(session))
				fds[1].fd = -1;
			if (fds[2].revents && !take_qemu_words(session))
				fds[2].fd = -1;
			if (fds[3].revents)
				take_input(session);
			if (!session->input_open)
				fds[3].fd = -1;
		}
		check_times(session);
	}
	while (fds[1].fd >= 0 && take_console(session))
		;
	while (fds[2].fd >= 0 && take_qemu_words(session))
		;
}

/* ---- afterwards ---- */

static void finish(struct session *session, char **command)
{
	session->seconds = (double)(now_ns() - session->started) / 1e9;
	if (session->interactive)
		tcsetattr(0, TCSANOW, &session->terminal);
	/* A machine that died early may have said where its trace is since we last looked. */
	start_draining(session);
	if (session->draining) {
		drain_finish(&session->drain);
		if (session->drain.error)
			warn("%s: %s: the trace is not whole", session->folder,
			     strerror(session->drain.error));
	}
	session->end = session_end(session);
	session_save_ramdisk(session);
	if (session_keeps_ram(session)) {
		char *kept = xasprintf("%s/ram", session->folder);
		if (strcmp(kept, session->ram_path)) {
			if (file_copy(session->ram_path, kept))
				die("%s: %s", kept, strerror(errno));
			unlink(session->ram_path);
			free(session->ram_path);
			session->ram_path = xstrdup(kept);
		}
		free(kept);
	} else {
		unlink(session->ram_path);
	}
	session_write_json(session, command);
	fclose(session->console.log);
}

/* What the user wants to know at the end, of the run that is now on disk. json NULL: in words. */
static int examine(const struct session *session, bool good, struct json *json)
{
	const struct arguments *arguments = session->arguments;
	int status = good ? STATUS_NOTHING_LOST : STATUS_LOST;

	if (session->end != END_POWEROFF)
		status = STATUS_CANNOT_TELL;
	if (!session->draining)
		return option(arguments, "leaks") && good ? STATUS_CANNOT_TELL : status;
	if (option(arguments, "tests") || option(arguments, "leaks")) {
		struct run *run = open_run(session->folder);
		struct model *model = model_replay(run, NULL);
		if (option(arguments, "tests") && json)
			tests_json(model, json);
		else if (option(arguments, "tests"))
			tests_print(model, stdout);
		if (option(arguments, "leaks")) {
			int verdict =
			    leaks_report(run, model, arguments, json ? REPORT_NOTHING : REPORT_TEXT);
			if (json)
				json_string(json, "leaks", leaks_verdict(verdict));
			if (verdict == STATUS_LOST || status == STATUS_NOTHING_LOST)
				status = verdict;
		}
		model_free(model);
		run_close(run);
	}
	fflush(stdout);
	if (option(arguments, "plot") && plot_run(session->folder, NULL) && status == 0)
		status = STATUS_CANNOT_TELL;
	return status;
}

/* What is known before the memory of the machine goes; examine adds the rest. */
static void json_first(struct session *session, struct json *json)
{
	json_begin_command(json, stdout, "run", NULL);
	json_string(json, "run", session->folder);
	session_json(session, json);
}

static void json_last(struct json *json, int status)
{
	static const char *const verdicts[] = {"good", "bad", "cannot tell"};

	json_string(json, "verdict", verdicts[status]);
	json_end(json);
}

static int run_run(const struct arguments *arguments)
{
	struct session *session = xcalloc(1, sizeof(*session));
	sigset_t mask;
	time_t now = time(NULL);
	bool as_json = option(arguments, "json") != NULL;
	struct json json;

	session->arguments = arguments;
	leaks_check(arguments);
	read_options(session);
	find_desc_address(session);
	prepare_folder(session);
	prepare_disk(session);
	session->ram_path = choose_ram_path(session->folder, session->config.ram_bytes);
	if (!guest_create(&session->guest, session->ram_path, session->config.ram_bytes))
		die("%s: %s", session->ram_path, strerror(errno));
	session->config.ram_file = session->ram_path;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	session->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);

	char **command = qemu_command(&session->config);
	strftime(session->started_at, sizeof(session->started_at), "%Y-%m-%dT%H:%M:%S%z", localtime(&now));
	session->started = now_ns();
	if (!qemu_start(&session->qemu, command)) {
		int error = errno;
		unlink(session->ram_path);
		die("%s: %s", command[0], strerror(error));
	}
	prepare_console(session);
	relay(session);
	finish(session, command);
	bool good = session_report(session);
	qemu_command_free(command);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
	if (as_json)
		json_first(session, &json);
	if (session->draining)
		drain_close(&session->drain);
	session_tell_panic(session);
	guest_close(&session->guest);
	int status = examine(session, good, as_json ? &json : NULL);
	if (as_json)
		json_last(&json, status);
	free(session);
	return status;
}

static const struct option_spec options[] = {
    {"kernel", "ELF", "the kernel (build/kernel/pagetrail.elf)"},
    {"disk", "IMAGE", "the root disk (build/disk.img)"},
    {"disk-mode", "ramdisk|virtio", "how the guest sees the disk (ramdisk)"},
    {"disk-out", "FILE", "write the disk there as the guest left it, for e2fsck"},
    {"smp", "N", "harts, 1 to 8 (4)"},
    {"mem", "SIZE", "RAM (128M)"},
    {"out", "RUN", "the run folder (traces/runs/ and the time)"},
    {"mode", "stream|flight|off", "stream (default) loses nothing, flight keeps the newest events only"},
    {"append", "ARGS", "further boot arguments"},
    {"icount", NULL, "deterministic time: one instruction is one nanosecond"},
    {"timeout", "SECONDS", "end the machine after so long"},
    {"gdb", "[PORT]", "let gdb attach to localhost:PORT (1234)"},
    {"stop", NULL, "wait for gdb before the first instruction"},
    {"keep-ram", NULL, "keep the guest's RAM as RUN/ram (a panic's is always kept)"},
    {"progress", NULL, "show one progress line instead of the console"},
    {"quiet", NULL, "show nothing of the console"},
    {"tests", NULL, "at the end, a table of the tests: free pages before and after, audit"},
    {"leaks", NULL, "at the end, the leak report; its verdict is the exit status"},
    {"baseline", "RUN", "with --leaks: a healthy run to compare with"},
    {"suppressions", "FILE", "with --leaks: known losses, as `pagetrail leaks` takes them"},
    {"fail-on-leak", NULL, "with --leaks: status 1 also for what is not certain"},
    {"plot", NULL, "at the end, draw RUN/free-pages.png and .svg"},
    {"json", NULL, "at the end, say all this as JSON; nothing of the console is shown"},
    {NULL, NULL, NULL},
};

const struct command command_run = {
    .name = "run",
    .operands = "[-- COMMAND...]",
    .summary = "boot the kernel in QEMU and record what it does with its memory",
    .description = "Boots the kernel, carries its trace into the run folder while it runs, shows the "
		   "console, and ends with the\n"
		   "guest. COMMAND is run by the guest's init, which then powers off with its status; "
		   "without one there is a\n"
		   "shell on the console. The run folder holds trace/ (CTF, for `babeltrace2 RUN`), "
		   "kernel/pagetrail.elf,\n"
		   "logs/console.log and run.json.\n\n"
		   "The exit status is 0 when the guest's command succeeded, 1 when it failed, 2 when there "
		   "is no telling (QEMU\n"
		   "failed, was killed, timed out or was interrupted). With --leaks, 0 also means that "
		   "nothing was lost, 1 that\n"
		   "something was lost or the guest failed, and 2 that events are missing.\n",
    .max_operands = 0,
    .takes_rest = true,
    .options = options,
    .run = run_run,
};
