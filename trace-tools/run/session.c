/* SPDX-License-Identifier: MIT */
/*
 * session: starts a machine, empties its trace rings while it runs, and leaves a run folder.
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
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"
#include "base/util.h"
#include "repeat.h"
#include "session.h"
#include "target/symbols.h"

#define DRAIN_BUSY_NS 100000L /* a hart fills a packet of 64 KiB in some milliseconds */
#define DRAIN_IDLE_NS 4000000L
#define KILL_AFTER_NS 3000000000LL /* between asking QEMU to end and making it */
#define ESCAPE_KEY 1               /* ctrl-A, then x ends the machine, as in QEMU */
#define END_KEY 4                  /* ctrl-D: what reads the console sees the end of its input */
#define PROGRESS_NS 250000000LL
#define END_KEY_NS 300000000LL
#define CONSOLE_PIPE_BYTES (1 << 20)

/* ---- preparing ---- */

static char *default_folder(void)
{
	time_t now = time(NULL);
	char text[32];

	strftime(text, sizeof(text), "%Y%m%d-%H%M%S", localtime(&now));
	return xasprintf("traces/runs/%s-%d", text, (int)getpid());
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

static char *build_append(const struct session_options *options)
{
	const char *extra = options->append;
	char *command = join_command(options->nr_words, options->words);
	char *text = xasprintf("trace=%s%s%s%s%s%s%s", options->mode, extra && *extra ? " " : "",
			       extra ? extra : "", *command ? " run=" : "", strchr(command, ' ') ? "\"" : "",
			       command, strchr(command, ' ') ? "\"" : "");

	free(command);
	return text;
}

static void take_options(struct session *session, const struct session_options *options)
{
	struct machine_config *config = &session->config;

	session->options = options;
	*config = options->machine;
	if (access(config->kernel, R_OK))
		die("%s: %s (`make kernel` builds it)", config->kernel, strerror(errno));
	if (access(config->disk, R_OK))
		die("%s: %s (`make disk` builds it)", config->disk, strerror(errno));
	config->at_prompt = options->nr_words == 0;
	session->folder = options->folder ? xstrdup(options->folder) : default_folder();
	session->append = options->whole_append ? xstrdup(options->whole_append) : build_append(options);
	config->append = session->append;
	if (options->timeout_seconds)
		session->deadline = clock_ns() + (int64_t)options->timeout_seconds * 1000000000LL;
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
	const char *out = session->options->disk_out;

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
	static const char *const names[] = {"ram",
					    "logs/panic.log",
					    "logs/recover.log",
					    "icount/plugin.json",
					    "icount/leak-points",
					    "why/leak-points-of-run"};

	drain_clear(folder);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s/%s", folder, names[i]);
		unlink(path);
		free(path);
	}
}

/* Two that write one folder leave the trace of neither. */
static void lock_folder(struct session *session)
{
	session->lock = open(session->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (session->lock < 0)
		die("%s: %s", session->folder, strerror(errno));
	if (flock(session->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		die("%s: another pagetrail is writing it", session->folder);
}

static void prepare_folder(struct session *session)
{
	char *kernel_folder = xasprintf("%s/kernel", session->folder),
	     *logs = xasprintf("%s/logs", session->folder);
	char *kernel = xasprintf("%s/pagetrail.elf", kernel_folder), *log = xasprintf("%s/console.log", logs);

	if (make_folders(kernel_folder) || make_folders(logs))
		die("%s: %s", session->folder, strerror(errno));
	lock_folder(session);
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
	session->console.view = session->options->view;
	session->console.terminal = isatty(2);
	session->input_open = !session->options->nr_words && session->options->view == CONSOLE_ALL;
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

static void ask_to_end(struct session *session, enum session_end end)
{
	if (!session->ending)
		session->end = end;
	kill(session->qemu.pid, session->ending ? SIGKILL : SIGTERM);
	session->ending = true;
	session->kill_at = clock_ns() + KILL_AFTER_NS;
}

/* Passes on what was typed as far as QEMU takes it: a guest that does not read must not stop us. */
static void pass_typed(struct session *session)
{
	ssize_t nr = session->nr_typed ? write(session->qemu.in, session->typed, session->nr_typed) : 0;

	if (nr > 0) {
		session->nr_typed -= (size_t)nr;
		memmove(session->typed, session->typed + nr, session->nr_typed);
	} else if (nr < 0 && errno != EAGAIN && errno != EINTR) {
		session->nr_typed = 0;
		session->input_open = false;
	}
}

/*
 * At the end of our input the guest's is over, too: whatever reads the console next sees its end, and a shell at its prompt
 * ends the machine. The key is pressed again as long as it runs, since each program that reads takes one.
 */
static void say_end_of_input(struct session *session, int64_t now)
{
	int waiting = 0;

	if (!session->say_end_at || now < session->say_end_at || session->nr_typed)
		return;
	session->say_end_at = now + END_KEY_NS;
	if (!ioctl(session->qemu.in, FIONREAD, &waiting) && waiting == 0)
		session->typed[session->nr_typed++] = END_KEY;
}

/* Only when all that was typed before is passed on. */
static void take_input(struct session *session)
{
	char bytes[sizeof(session->typed)];
	ssize_t nr = read(0, bytes, sizeof(bytes));

	if (nr <= 0) {
		if (nr < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		session->input_open = false;
		session->say_end_at = clock_ns();
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
		session->typed[session->nr_typed++] = bytes[i];
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
	if (!strcmp(session->options->mode, "off"))
		return;
	trace = xasprintf("%s/trace", session->folder);
	if (!drain_open(&session->drain, &session->guest, trace, DRAIN_NEW))
		die("%s: %s", trace, strerror(errno));
	free(trace);
	session->draining = true;
}

/* Of a run that is repeated, on a terminal: how far it is. */
static void show_progress(struct session *session, int64_t now)
{
	uint64_t expected = session->options->expected_events;

	if (!expected || !session->console.terminal || now < session->progress_at)
		return;
	session->progress_at = now + PROGRESS_NS;
	uint64_t percent = session->drain.nr_events * 100 / expected;
	fprintf(stderr, "\r\033[Krunning again: %u %%", percent > 100 ? 100 : (unsigned)percent);
	session->console.progress_open = true;
}

static void check_times(struct session *session)
{
	int64_t now = clock_ns();

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
		fds[3].fd = session->input_open && !session->nr_typed ? 0 : -1;
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
		}
		say_end_of_input(session, clock_ns());
		pass_typed(session);
		show_progress(session, clock_ns());
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
	session->seconds = (double)(clock_ns() - session->started) / 1e9;
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
	session->end = session_how_it_ended(session);
	session_save_ramdisk(session);
	if (session_keeps_ram(session)) {
		session->ram_path = xasprintf("%s/ram", session->folder);
		if (guest_save(&session->guest, session->ram_path))
			die("%s: %s", session->ram_path, strerror(errno));
	}
	session_write_json(session, command);
	fclose(session->console.log);
}

struct session *session_run(const struct session_options *options)
{
	struct session *session = xcalloc(1, sizeof(*session));
	time_t now = time(NULL);

	take_options(session, options);
	find_desc_address(session);
	prepare_folder(session);
	prepare_disk(session);
	if (!guest_create(&session->guest, session->config.ram_bytes))
		die("no memory for the machine: %s", strerror(errno));
	session->config.ram_file = session->guest.path;
	session->config.one_thread = options->more_hooks != NULL;
	if (session->config.icount || options->more_hooks)
		session->config.plugin = session->plugin = repeat_prepare(session);
	if (session->config.icount) {
		/* Now, for somebody may build another while the machine runs. */
		if (!manifest_of_file(&session->disk, session->config.disk))
			die("%s: %s", session->config.disk, strerror(errno));
	}
	session->signals = signals_catch(&session->mask, (int[]){SIGINT, SIGTERM, SIGHUP, SIGCHLD, 0});
	signal(SIGPIPE, SIG_IGN);

	char **command = qemu_command(&session->config);
	strftime(session->started_at, sizeof(session->started_at), "%Y-%m-%dT%H:%M:%S%z", localtime(&now));
	session->started = clock_ns();
	if (!qemu_start(&session->qemu, command))
		die("%s: %s", command[0], strerror(errno));
	/* A console that is not read must not stop the machine: where its output waits, time passes. */
	fcntl(session->qemu.out, F_SETPIPE_SZ, CONSOLE_PIPE_BYTES);
	prepare_console(session);
	relay(session);
	finish(session, command);
	qemu_command_free(command);
	signals_release(session->signals, &session->mask);
	return session;
}

void session_free(struct session *session)
{
	if (session->draining)
		drain_close(&session->drain);
	guest_close(&session->guest);
	close(session->lock);
	free(session->folder);
	free(session->append);
	free(session->plugin);
	free(session->ram_path);
	free(session->qemu_words);
	free(session);
}
