/* SPDX-License-Identifier: MIT */
/* qemu: the command line of the machine, and the process. */
#ifndef TOOLS_RUN_QEMU_H
#define TOOLS_RUN_QEMU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct machine_config {
	const char *program; /* NULL: qemu-system-riscv64, or $QEMU */
	const char *kernel, *disk;
	bool disk_virtio;   /* else the disk is the initrd */
	bool disk_writable; /* virtio: the image itself is written, else changes are forgotten */
	uint32_t smp;
	uint64_t ram_bytes;
	const char *ram_file;
	const char *append;
	bool icount;           /* deterministic, but for what is typed */
	uint32_t icount_shift; /* with icount: an instruction is 2^icount_shift nanoseconds */
	bool at_prompt;        /* no command: it waits for what is typed */
	uint32_t gdb_port;     /* 0: none */
	bool one_thread;       /* harts run in turns */
	const char *plugin;    /* what is behind -plugin; NULL: none */
	bool stopped;          /* wait for gdb's continue */
};

struct qemu {
	pid_t pid;
	int in, out, err; /* our ends: console input, console output, QEMU's own words */
	bool ended;
	int status;         /* as waitpid gives it, once ended */
	double cpu_seconds; /* in user mode, once ended */
};

/* NULL-terminated, each word from the heap. */
char **qemu_command(const struct machine_config *config);
void qemu_command_free(char **argv);

/* Starts it in a process group of its own; it is ended when we die. False with errno. */
bool qemu_start(struct qemu *qemu, char **argv);
/* Has it ended? Does not wait. */
bool qemu_poll(struct qemu *qemu);

/* "128M" as bytes; false when it is no size. */
bool size_parse(const char *text, uint64_t *bytes);

#endif
