/* session: one machine under `pagetrail run`: shared by run.c, which runs it, and run_end.c, which says how it ended. */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include <termios.h>

#include "../lib/drain.h"
#include "../lib/qemu.h"
#include "command.h"
#include "console.h"

enum run_end { END_POWEROFF, END_QEMU_FAILED, END_KILLED, END_TIMEOUT, END_INTERRUPTED };

struct session {
	const struct arguments *arguments;
	struct machine_config config;
	char *folder, *append;
	const char *mode;
	char *ram_path;
	struct guest guest;
	struct qemu qemu;
	struct drain drain;
	bool draining;
	uint64_t desc_pa;
	struct console console;
	char *qemu_words; /* its stderr */
	size_t qemu_words_bytes;
	int signals;
	bool interactive, escape, input_open;
	struct termios terminal;
	int64_t started, deadline, kill_at; /* ns, monotonic; 0: none */
	double seconds;
	char started_at[32];
	enum run_end end;
	bool ending; /* asked to end */
	const char *desc_fault;
};

/* What the guest gave the finisher, -1: it did not come to that. QEMU passes it on, but has failures of its own. */
int session_guest_status(const struct session *session);
enum run_end session_end(const struct session *session);
bool session_panicked(const struct session *session);
/* The user wants the RAM, or somebody will: the kernel panicked. */
bool session_keeps_ram(const struct session *session);
/* --disk-out of a ramdisk: the part of RAM that it is. */
void session_save_ramdisk(const struct session *session);
/* What was run and how it ended, as members of an open object. */
struct json;
void session_json(const struct session *session, struct json *json);
/* The same, and the words of QEMU's command line, to RUN/run.json. */
void session_write_json(const struct session *session, char **command);
/* Of a kernel that panicked: where each hart was and what happened last, on stderr and in RUN/logs/panic.log. */
void session_tell_panic(const struct session *session);
/* How it ended, said on stderr; false when the guest or QEMU failed. */
bool session_report(struct session *session);

#endif
