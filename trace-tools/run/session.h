/* SPDX-License-Identifier: MIT */
/*
 * session: one machine under `pagetrail run`, from the empty run folder to run.json. session.c runs it, session_end.c says
 * how it ended.
 */
#ifndef TOOLS_RUN_SESSION_H
#define TOOLS_RUN_SESSION_H

#include <signal.h>
#include <termios.h>

#include "base/json.h"
#include "console.h"
#include "ctf/manifest.h"
#include "drain.h"
#include "qemu.h"

enum session_end { END_POWEROFF, END_QEMU_FAILED, END_KILLED, END_TIMEOUT, END_INTERRUPTED };

/* What the user wants. */
struct session_options {
	struct machine_config machine; /* all but ram_file, append and what the session finds out */
	const char *folder;            /* NULL: traces/runs/ and the time */
	const char *mode;              /* stream, flight, off */
	const char *append;            /* further boot arguments, or NULL */
	const char *whole_append; /* of a run that is repeated: all boot arguments; NULL: made of the above */
	const char *
	    more_hooks; /* further lines of the plugin's hooks file, whose harts then run in turns; NULL: none */
	uint64_t expected_events; /* shows on a terminal how far it is; 0: it does not */
	char **words;             /* the guest's command */
	int nr_words;             /* 0: a prompt */
	uint64_t timeout_seconds; /* 0: none */
	const char *disk_out;     /* NULL: the disk is forgotten */
	bool keep_ram;
	enum console_view view;
};

struct session {
	const struct session_options *options;
	struct machine_config config;
	char *folder, *append, *plugin;
	int lock;                  /* of the folder, while this lives */
	struct manifest_file disk; /* with icount: what it held when the machine started */
	char *ram_path;            /* where the RAM was saved; NULL: it was not */
	struct guest guest;
	struct qemu qemu;
	struct drain drain;
	bool draining;
	uint64_t desc_pa;
	struct console console;
	char *qemu_words; /* its stderr */
	size_t qemu_words_bytes;
	int signals;
	sigset_t mask;
	bool interactive, escape, input_open;
	char typed[256]; /* what QEMU did not take yet */
	size_t nr_typed;
	int64_t say_end_at; /* when the guest is told again that its input is over; 0: it is not */
	struct termios terminal;
	int64_t started, deadline, kill_at; /* ns, monotonic; 0: none */
	int64_t progress_at;                /* when the progress line is due */
	double seconds;
	char started_at[32];
	enum session_end end;
	bool ending; /* asked to end */
	const char *desc_fault;
};

/* Prepares the folder, starts QEMU, relays until it has ended, and leaves run.json; dies where it cannot begin. */
struct session *session_run(const struct session_options *options);
void session_free(struct session *session);

/* ---- session_end.c ---- */

/* What the guest gave the finisher, -1: it did not come to that. QEMU passes it on, but has failures of its own. */
int session_guest_status(const struct session *session);
enum session_end session_how_it_ended(const struct session *session);
bool session_panicked(const struct session *session);
/* The user wants the RAM, or somebody will: the kernel panicked. */
bool session_keeps_ram(const struct session *session);
/* --disk-out of a ramdisk: the part of RAM that it is. */
void session_save_ramdisk(const struct session *session);
/* What was run and how it ended, as members of an open object. */
void session_json(const struct session *session, struct json *json);
/* The same, and the words of QEMU's command line, to RUN/run.json. */
void session_write_json(const struct session *session, char **command);
/* Of a kernel that panicked: where each hart was and what happened last, on stderr and in RUN/logs/panic.log. */
void session_tell_panic(const struct session *session);
/* How it ended, said on stderr; false when the guest or QEMU failed. */
bool session_report(struct session *session);

#endif
