/* SPDX-License-Identifier: MIT */
/*
 * pagetrail top: a machine watched while it runs, through its growing run folder.
 *
 * The folder wakes us (inotify), or a key, a signal, or the interval's end. On a terminal the picture is redrawn in
 * place, on its other screen, and the last picture stays behind on the usual one; elsewhere pictures follow one another
 * whenever something happened. It ends with the machine, with q, or with a signal.
 */
#include "top.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"
#include "command.h"

#define SITES 10
/* The folder is looked at no more often than this, however fast it grows. */
#define LOOK_MS 50
#define OTHER_SCREEN "\033[?1049h\033[?25l"
#define USUAL_SCREEN "\033[?25h\033[?1049l"

struct watch {
	struct top top;
	int64_t interval_ms, next_ms; /* of the next picture */
	int64_t look_ms;              /* not before then does the folder wake us */
	int inotify, signals;
	bool keys; /* standard input is a terminal, and set up for single keys */
	struct termios terminal;
	bool over;  /* asked to end */
	bool fresh; /* something came since the last picture */
	bool drawn; /* some picture was */
	enum follow_state drawn_state;
};

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* ---- the terminal ---- */

static void measure_terminal(struct top *top)
{
	struct winsize size;

	top->rows = 24;
	top->columns = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		top->rows = size.ws_row;
		top->columns = size.ws_col;
	}
}

static void enter_terminal(struct watch *watch)
{
	if (!watch->top.terminal)
		return;
	measure_terminal(&watch->top);
	watch->keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &watch->terminal);
	if (watch->keys) {
		struct termios raw = watch->terminal;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs(OTHER_SCREEN, stdout);
}

static void leave_terminal(struct watch *watch)
{
	if (!watch->top.terminal)
		return;
	fputs(USUAL_SCREEN, stdout);
	fflush(stdout);
	if (watch->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &watch->terminal);
}

/* ---- pictures ---- */

static void take_signals(struct watch *watch)
{
	struct signalfd_siginfo info;

	while (read(watch->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGWINCH:
			measure_terminal(&watch->top);
			watch->next_ms = 0;
			break;
		case SIGTSTP:
			leave_terminal(watch);
			kill(getpid(), SIGSTOP);
			enter_terminal(watch);
			watch->next_ms = 0;
			break;
		default:
			watch->over = true;
		}
	}
}

/*
 * To a reader that does not read, without being stuck there: signals are blocked, and come by a file that must be looked
 * at. A pipe that can be written takes PIPE_BUF bytes at once.
 */
static void put(struct watch *watch, const char *text, size_t bytes)
{
	struct pollfd fds[2] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
				{.fd = watch->signals, .events = POLLIN}};
	bool was_over = watch->over;

	fflush(stdout); /* on a terminal, how it is entered */
	/* The last picture is drawn when it is over; a signal that comes meanwhile ends that, too. */
	watch->over = false;
	while (bytes && !watch->over) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			take_signals(watch);
		if (!fds[0].revents)
			continue;
		ssize_t nr =
		    write(STDOUT_FILENO, text, watch->top.terminal || bytes < PIPE_BUF ? bytes : PIPE_BUF);
		if (nr < 0 && errno != EINTR && errno != EAGAIN)
			watch->over = true;
		if (nr > 0) {
			text += nr;
			bytes -= (size_t)nr;
		}
	}
	watch->over = watch->over || was_over;
}

/* A whole picture in one write: a terminal never shows half of one. */
static void draw(struct watch *watch)
{
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	if (watch->top.terminal)
		fputs("\033[H", out);
	top_draw(&watch->top, out);
	fputs(watch->top.terminal ? "\033[J" : "\n", out);
	char *text = text_end(&buffer);
	put(watch, text, buffer.bytes);
	free(text);
	live_counters_beat(&watch->top.counters);
	watch->fresh = false;
	watch->drawn = true;
	watch->drawn_state = watch->top.state;
	watch->next_ms = now_ms() + watch->interval_ms;
}

/* ---- waiting ---- */

static void watch_folders(struct watch *watch)
{
	static const char *const names[] = {"", "/trace", "/logs"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s%s", watch->top.follow.folder, names[i]);
		/* Again and again: a folder that is not there yet comes later, one that is watched stays so. */
		inotify_add_watch(watch->inotify, path, IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO);
		free(path);
	}
}

static void take_key(struct watch *watch)
{
	char key;
	ssize_t nr = read(STDIN_FILENO, &key, 1);

	if (nr == 1 && (key == 'q' || key == 'Q' || key == 4))
		watch->over = true;
	else if (nr == 1)
		watch->next_ms = 0; /* any other key: now */
	else if (nr == 0 || errno != EINTR)
		watch->keys = false;
}

/* Waits for a picture to be due, a key, a signal, or the folder, which is not listened to before look_ms. */
static void wait_for_something(struct watch *watch)
{
	struct pollfd fds[3] = {{.events = POLLIN},
				{.fd = watch->signals, .events = POLLIN},
				{.fd = watch->keys ? STDIN_FILENO : -1, .events = POLLIN}};
	char events[4096];
	bool deaf;
	int nr;

	do {
		int64_t now = now_ms(), until = watch->next_ms;
		deaf = now < watch->look_ms && watch->look_ms < until;
		fds[0].fd = now < watch->look_ms ? -1 : watch->inotify;
		if (deaf)
			until = watch->look_ms;
		nr = poll(fds, 3, (int)(until > now ? until - now : 0));
	} while (nr == 0 && deaf);
	if (fds[0].revents) {
		while (read(watch->inotify, events, sizeof(events)) > 0)
			;
	}
	if (fds[1].revents)
		take_signals(watch);
	if (fds[2].revents)
		take_key(watch);
}

static void watch_machine(struct watch *watch)
{
	sigset_t mask;

	watch->signals = signals_catch(&mask, (int[]){SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, 0});
	watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch->top.terminal = isatty(STDOUT_FILENO) && strcmp(getenv("TERM") ? getenv("TERM") : "", "dumb");
	watch->top.plain = getenv("NO_COLOR") != NULL;
	enter_terminal(watch);
	while (!watch->over) {
		watch->look_ms = now_ms() + LOOK_MS;
		watch_folders(watch);
		/* First whether it is over, then what is there: what came last is not overlooked. */
		watch->top.state = follow_state(&watch->top.follow);
		watch->fresh |= live_counters_step(&watch->top.counters, &watch->top.follow) != 0;
		watch->over = watch->over || watch->top.state == FOLLOW_ENDED;
		if (watch->top.state == FOLLOW_ENDED)
			watch->top.manifest_bad = !follow_compare(&watch->top.follow);
		bool due = now_ms() >= watch->next_ms;
		if (due && !watch->fresh && !watch->top.terminal && watch->drawn)
			watch->next_ms = now_ms() + watch->interval_ms; /* nothing to say */
		else if (due)
			draw(watch);
		if (!watch->over)
			wait_for_something(watch);
	}
	leave_terminal(watch);
	close(watch->inotify);
	/* What stays on the usual screen; elsewhere, what came since the last picture. */
	if (watch->top.terminal || watch->fresh || watch->drawn_state != watch->top.state) {
		watch->top.terminal = false;
		if (watch->top.nr_sites == UINT32_MAX)
			watch->top.nr_sites = SITES; /* there is no screen's height any more */
		draw(watch);
	}
	close(watch->signals);
}

/* ---- the command ---- */

static int64_t read_interval(const char *text)
{
	char *end;
	double seconds = text ? strtod(text, &end) : 1;

	if (text && (end == text || *end || !(seconds >= 0.01 && seconds <= 3600)))
		die("--interval: %s is not a number of seconds from 0.01 to 3600", text);
	return (int64_t)(seconds * 1000);
}

static int top_run(const struct arguments *arguments)
{
	struct watch watch = {.interval_ms = read_interval(option(arguments, "interval"))};
	struct top *top = &watch.top;
	bool as_json = option(arguments, "json") != NULL;

	top->force_symbols = option(arguments, "force-symbols") != NULL;
	top->nr_sites = (uint32_t)option_number(
	    arguments, "limit", as_json || !isatty(STDOUT_FILENO) ? SITES : UINT32_MAX, 0, UINT32_MAX);
	if (!follow_open(&top->follow, arguments->operands[0]))
		die("%s: %s", arguments->operands[0], strerror(errno));
	if (as_json || option(arguments, "once")) {
		top->state = follow_state(&top->follow);
		live_counters_step(&top->counters, &top->follow);
		if (top->state == FOLLOW_ENDED)
			top->manifest_bad = !follow_compare(&top->follow);
		if (!top->follow.nr_files)
			die("%s: there is no trace yet", arguments->operands[0]);
		if (as_json)
			top_json(top, stdout);
		else
			top_draw(top, stdout);
	} else {
		watch_machine(&watch);
	}
	int status = top_tells(top) ? STATUS_OK : STATUS_CANNOT_TELL;
	if (top->symbols)
		symbols_close(top->symbols);
	live_counters_free(&top->counters);
	follow_close(&top->follow);
	return status;
}

static const struct option_spec options[] = {
    {"interval", "SECONDS", "between two pictures (1)"},
    {"limit", "N", "at most so many call sites (10; on a terminal, as many as there is room for)"},
    {"once", NULL, "one picture of what is there now, with rates over the whole run"},
    {"json", NULL, "the same as JSON"},
    FORCE_SYMBOLS,
    {NULL, NULL, NULL},
};

const struct command command_top = {
    .name = "top",
    .operands = "RUN",
    .summary = "watch a machine while it runs: free pages, kinds, the busiest call sites, lost events",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = top_run,
};
