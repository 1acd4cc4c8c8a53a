/* SPDX-License-Identifier: MIT */
/*
 * watch_drive: types into the console of a watched machine, and ends it where the user said. For CI.
 *
 *     pagetrail watch --type 'usertests -q' --until 'ALL TESTS PASSED|FAILED' make qemu
 *
 * The command runs on a terminal of its own; all it says is passed on. A prompt is the end of the output so far, when it
 * looks like one: nothing waits for a while and hopes. The states, each left by what is read:
 *
 *     TYPING    lines are left to type: at a prompt the next one is typed
 *     AWAITING  all is typed: until --until is seen (or, without it, the next prompt)
 *     UNSEEN    the prompt is back without --until: until more is said (back to AWAITING), or the machine has rested or
 *               computed for UNSEEN_SECONDS without a word, and is ended: what was typed has ended, too
 *     SETTLING  --until was seen: until the prompt after it, so that what was typed has ended, too
 *     RESTING   the prompt is there: until the machine has come to rest behind it (watch_quiet.h)
 *     ENDING    the machines were asked to end
 *
 * DRIVE-1  a line that was typed comes back as an echo; it is no output in which --until is sought.
 * DRIVE-2  the machine is ended by SIGTERM to QEMU, never by a key: a console may not be QEMU's monitor.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"
#include "base/text.h"
#include "base/util.h"
#include "watch_priv.h"
#include "watch_quiet.h"

#define DEFAULT_PROMPT "[$#>] $"
#define SETTLE_SECONDS 10 /* for the prompt after --until: some kernels end there without one */
#define UNSEEN_SECONDS 10 /* a test that was started in the background goes on saying something */
#define TAIL_BYTES 1024   /* of the output, in which a prompt or --until may stand */

enum drive_state { TYPING, AWAITING, UNSEEN, SETTLING, RESTING, ENDING };

struct drive {
	struct watch *watch;
	enum drive_state state;
	regex_t prompt, until;
	int terminal, signals;
	sigset_t mask;
	pid_t pid;
	size_t nr_typed;
	char tail[TAIL_BYTES + 1]; /* of what was said since the last typed line */
	size_t tail_bytes;
	uint64_t nr_bytes;      /* of all output */
	bool in_echo;           /* the typed line is coming back */
	bool ended;             /* the command */
	int64_t deadline;       /* of --timeout; 0: none */
	int64_t silent_look;    /* when to look whether a machine is silent */
	int64_t state_deadline; /* of SETTLING, RESTING and ENDING; 0: none */
	struct watch_quiet quiet;
	uint64_t unseen_ticks; /* what the machines had computed at the prompt of UNSEEN */
};

/* ---- states ---- */

static void end_machines(struct drive *drive)
{
	drive->state = ENDING;
	drive->state_deadline = clock_ns() + WATCH_END_SECONDS * 1000000000LL;
	watch_end_machines(drive->watch, SIGTERM);
}

static bool machine_runs(const struct drive *drive)
{
	for (size_t i = 0; i < drive->watch->nr_runs; i++) {
		if (!watch_machine_ended(&drive->watch->runs[i]))
			return true;
	}
	return false;
}

/* Somebody wants the end now: a command that has no machine, or none any more, is to end, too. */
static void end_early(struct drive *drive, enum watch_end end, const char *text)
{
	drive->watch->end = end;
	drive->watch->end_text = text;
	/* What it says while it dies is of no use. */
	if (!drive->watch->last_line)
		drive->watch->last_line = last_line_text(drive->tail);
	end_machines(drive);
	if (!machine_runs(drive))
		kill(-drive->pid, SIGTERM);
}

static bool look_at_machines(const struct drive *drive, uint64_t *ticks)
{
	bool idle = true;

	*ticks = 0;
	for (size_t i = 0; i < drive->watch->nr_runs; i++)
		idle = watch_process_idle(drive->watch->runs[i].pid, ticks) && idle;
	return idle;
}

static void rest(struct drive *drive)
{
	uint64_t ticks;

	watch_read_runs(drive->watch);
	look_at_machines(drive, &ticks);
	watch_quiet_begin(&drive->quiet, ticks);
	drive->state = RESTING;
	drive->state_deadline = clock_ns() + SETTLE_SECONDS * 1000000000LL;
}

static void type_next(struct drive *drive)
{
	const char *line = drive->watch->options->typed[drive->nr_typed++];
	char *text = xasprintf("%s\n", line);
	size_t bytes = strlen(text), done = 0;

	while (done < bytes) {
		ssize_t nr = write(drive->terminal, text + done, bytes - done);
		if (nr < 0 && errno != EINTR)
			break;
		done += nr > 0 ? (size_t)nr : 0;
	}
	free(text);
	drive->tail_bytes = 0;
	drive->tail[0] = 0;
	drive->in_echo = true;
}

static bool more_to_type(const struct drive *drive)
{
	const char **typed = drive->watch->options->typed;

	return typed && typed[drive->nr_typed];
}

/* What looks like a prompt before a machine was started is the command's own. */
static bool machine_started(const struct drive *drive)
{
	watch_read_runs(drive->watch);
	return drive->watch->nr_runs != 0;
}

static bool matches(const regex_t *regex, const struct drive *drive)
{
	return !regexec(regex, drive->tail, 0, NULL, 0);
}

static void settle(struct drive *drive)
{
	drive->state = SETTLING;
	drive->state_deadline = clock_ns() + SETTLE_SECONDS * 1000000000LL;
}

/* The prompt, and no --until: a script between two machines says things that look like one, too. */
static void doubt(struct drive *drive)
{
	watch_read_runs(drive->watch);
	if (!machine_runs(drive))
		return;
	look_at_machines(drive, &drive->unseen_ticks);
	drive->state = UNSEEN;
	drive->state_deadline = clock_ns() + UNSEEN_SECONDS * 1000000000LL;
}

/* Looks at what was said so far. */
static void advance(struct drive *drive)
{
	bool at_prompt = !drive->in_echo && matches(&drive->prompt, drive);

	switch (drive->state) {
	case TYPING:
		if (at_prompt && machine_started(drive))
			type_next(drive);
		if (!more_to_type(drive))
			drive->state = AWAITING;
		break;
	case AWAITING:
	case UNSEEN:
		if (drive->in_echo)
			break;
		drive->state = AWAITING;
		drive->state_deadline = 0;
		if (drive->watch->options->until && matches(&drive->until, drive)) {
			settle(drive);
			/* The prompt that ends it may have come with it. */
			advance(drive);
		} else if (drive->watch->options->until && at_prompt) {
			doubt(drive);
		} else if (drive->nr_typed && at_prompt) {
			rest(drive);
		}
		break;
	case SETTLING:
		if (at_prompt)
			rest(drive);
		break;
	case RESTING:
	case ENDING:
		break;
	}
}

/* ---- what is read ---- */

/* A compiler, a linker, a shell and make say what is wrong in a line of this form. What a kernel says of errors is its own. */
static bool tells_error(const char *line)
{
	static const char *const words[] = {
	    "error: ", "Error: ", "*** ", "undefined reference", ": not found", ": command not found"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strstr(line, words[i]))
			return true;
	}
	/* `make: riscv64-gcc: No such file or directory`; a probe of another program's may say so and mean nothing. */
	return !strncmp(line, "make", 4) && strstr(line, ": No such file or directory");
}

static void take_error(struct drive *drive)
{
	const char *end = drive->tail + drive->tail_bytes, *line = end;
	struct watch *watch = drive->watch;

	if (watch->first_error || !drive->tail_bytes || end[-1] != '\n')
		return;
	for (line = --end; line > drive->tail && line[-1] != '\n'; line--)
		;
	char *text = xasprintf("%.*s", (int)(end - line), line), *words = words_text(text);
	free(text);
	if (tells_error(words) && !machine_started(drive))
		watch->first_error = words;
	else
		free(words);
}

static void keep(struct drive *drive, const char *bytes, size_t nr)
{
	/* An echo ends with its line. */
	while (drive->in_echo && nr) {
		drive->in_echo = *bytes != '\n';
		bytes++;
		nr--;
	}
	if (nr > TAIL_BYTES) {
		bytes += nr - TAIL_BYTES;
		nr = TAIL_BYTES;
	}
	if (drive->tail_bytes + nr > TAIL_BYTES) {
		size_t drop = drive->tail_bytes + nr - TAIL_BYTES;
		memmove(drive->tail, drive->tail + drop, drive->tail_bytes - drop);
		drive->tail_bytes -= drop;
	}
	for (size_t i = 0; i < nr; i++) {
		if (bytes[i] && bytes[i] != '\r')
			drive->tail[drive->tail_bytes++] = bytes[i];
	}
	drive->tail[drive->tail_bytes] = 0;
}

/*
 * False at the terminal's end. Each line is looked at by itself, so that --until is not missed in a burst of output;
 * a prompt is sought only behind the last byte.
 */
/* What prints without end would fill the disk. */
static void check_length(struct drive *drive, size_t nr)
{
	uint64_t most = drive->watch->options->output_mib_max << 20;
	bool over = drive->nr_bytes > most;

	drive->nr_bytes += nr;
	if (most && !over && drive->nr_bytes > most && drive->watch->end == WATCH_ENDED)
		end_early(drive, WATCH_TOO_LONG, "ended, as it had printed too much");
}

static bool take_output(struct drive *drive)
{
	char bytes[4096];
	ssize_t nr = read(drive->terminal, bytes, sizeof(bytes));

	if (nr <= 0)
		return nr < 0 && errno == EINTR;
	check_length(drive, (size_t)nr);
	if (!drive->watch->options->quiet && drive->watch->end != WATCH_TOO_LONG) {
		fwrite(bytes, 1, (size_t)nr, stdout);
		fflush(stdout);
	}
	for (ssize_t at = 0; at < nr;) {
		const char *end = memchr(bytes + at, '\n', (size_t)(nr - at));
		ssize_t upto = end ? end - bytes + 1 : nr;
		keep(drive, bytes + at, (size_t)(upto - at));
		take_error(drive);
		advance(drive);
		at = upto;
	}
	return true;
}

static void take_signals(struct drive *drive)
{
	struct signalfd_siginfo info;

	while (read(drive->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			if (waitpid(drive->pid, &drive->watch->command_status, WNOHANG) == drive->pid)
				drive->ended = true;
			continue;
		}
		end_early(drive, WATCH_INTERRUPTED, "interrupted");
	}
}

/* The time of UNSEEN is over on our clock: is it on the machines', or did they do nothing at all? Else they get more of it. */
static void end_unseen(struct drive *drive)
{
	uint64_t second = (uint64_t)sysconf(_SC_CLK_TCK), ticks;

	look_at_machines(drive, &ticks);
	ticks -= drive->unseen_ticks;
	if (ticks >= second && ticks < UNSEEN_SECONDS * second) {
		drive->state_deadline = clock_ns() + 1000000000LL;
		return;
	}
	drive->watch->end = WATCH_UNSEEN;
	drive->watch->end_text = "the prompt is back, and --until was not seen";
	end_machines(drive);
}

static void check_times(struct drive *drive)
{
	int64_t now = clock_ns();
	uint64_t ticks;

	if (now >= drive->silent_look) {
		drive->silent_look = now + SILENT_LOOK_SECONDS * 1000000000LL;
		watch_look_silent(drive->watch);
	}
	if (drive->state == RESTING) {
		bool idle = look_at_machines(drive, &ticks);
		if (watch_quiet_look(&drive->quiet, idle, ticks))
			end_machines(drive);
	}
	if (drive->deadline && now >= drive->deadline) {
		drive->deadline = 0;
		end_early(drive, WATCH_TIMED_OUT, "ended after the --timeout");
	} else if (drive->state_deadline && now >= drive->state_deadline) {
		if (drive->state == UNSEEN) {
			end_unseen(drive);
			return;
		}
		if (drive->state != ENDING) {
			end_machines(drive);
			return;
		}
		watch_end_machines(drive->watch, SIGKILL);
		kill(-drive->pid, SIGKILL);
		drive->state_deadline = 0;
	}
}

/* Milliseconds until one of the deadlines. */
static int patience(const struct drive *drive)
{
	int64_t first = drive->silent_look;

	if (drive->state == RESTING)
		return QUIET_LOOK_MS;

	if (drive->deadline && drive->deadline < first)
		first = drive->deadline;
	if (drive->state_deadline && drive->state_deadline < first)
		first = drive->state_deadline;
	int64_t left = first - clock_ns();
	return left > 0 ? (int)(left / 1000000 + 1) : 0;
}

static void relay(struct drive *drive)
{
	struct pollfd fds[2] = {{.fd = drive->terminal, .events = POLLIN},
				{.fd = drive->signals, .events = POLLIN}};

	while (!drive->ended) {
		if (poll(fds, 2, patience(drive)) > 0) {
			if (fds[0].revents && !take_output(drive))
				fds[0].fd = -1;
			if (fds[1].revents)
				take_signals(drive);
		}
		check_times(drive);
	}
	/* What it said last is still in the terminal. */
	while (fds[0].fd >= 0 && poll(fds, 1, 0) > 0 && take_output(drive))
		;
}

static void start(struct drive *drive)
{
	char **command = drive->watch->options->command;

	drive->signals = signals_catch(&drive->mask, (int[]){SIGINT, SIGTERM, SIGHUP, SIGCHLD, 0});
	drive->pid = forkpty(&drive->terminal, NULL, NULL, NULL);
	if (drive->pid < 0)
		die("no terminal for the command: %s", strerror(errno));
	if (drive->pid == 0) {
		sigprocmask(SIG_UNBLOCK, &drive->mask, NULL);
		execvp(command[0], command);
		fprintf(stderr, "pagetrail: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
}

void watch_drive(struct watch *watch)
{
	const struct watch_options *options = watch->options;
	struct drive drive = {.watch = watch, .silent_look = clock_ns() + SILENT_LOOK_SECONDS * 1000000000LL};

	pattern_compile(&drive.prompt, options->prompt ? options->prompt : DEFAULT_PROMPT, "prompt", 0);
	pattern_compile(&drive.until, options->until ? options->until : "^", "until", REG_NEWLINE);
	if (options->timeout_seconds)
		drive.deadline = clock_ns() + (int64_t)options->timeout_seconds * 1000000000LL;
	drive.state = more_to_type(&drive) ? TYPING : AWAITING;
	start(&drive);
	relay(&drive);
	if (options->until && drive.state < SETTLING && watch->end == WATCH_ENDED) {
		watch->end = WATCH_UNSEEN;
		watch->end_text = "the command ended before --until was seen";
	} else if (more_to_type(&drive) && watch->end == WATCH_ENDED) {
		watch->end = WATCH_UNSEEN;
		watch->end_text = "the command ended before all was typed";
	}
	regfree(&drive.prompt);
	regfree(&drive.until);
	signals_release(drive.signals, &drive.mask);
	close(drive.terminal);
}
