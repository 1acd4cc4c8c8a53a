/* SPDX-License-Identifier: MIT */
/* procfs' own: what a /proc file is made of. */
#ifndef PROCFS_PRIV_H
#define PROCFS_PRIV_H

#include <kernel/errno.h>
#include <kernel/fs.h>
#include <kernel/lib.h>
#include <kernel/sched.h>

struct proc_file;

/* One file of the tree, described by functions. Those that are NULL do not apply. */
struct proc_node {
	const char *name;
	u16 mode; /* permissions */
	u8 order; /* of the text block show begins with: 2^order pages */
	/* The whole text. Called again with a larger block if it did not fit. 0 or an error for the reader.
	 */
	int (*show)(struct proc_file *file, struct text *text);
	/*
	 * For texts without bound: appends the record at file->cursor and moves the cursor; false at the end.
	 * What did not fit is asked for again.
	 */
	bool (*record)(struct proc_file *file, struct text *text);
	/* For bytes: fills the block with the next piece; its length, 0 at the end, or an error. */
	ssize_t (*piece)(struct proc_file *file, void *buffer, size_t size_bytes);
	/*
	 * For arrays of u64 that have an entry for each page: fills `buffer` with the entries from number `first` on;
	 * how many, 0 at the end, or an error. Nothing is kept between reads.
	 */
	s64 (*entries)(struct proc_file *file, u64 first, u64 *buffer, u64 nr_wanted);
	/* One write, as a string. 0 or an error. */
	int (*write)(struct proc_file *file, const char *text);
};

/* An open /proc file (slab cache "procfile"). */
struct proc_file {
	const struct proc_node *node;
	u16 pid;               /* the process it speaks of, or 0 */
	u16 owner_pid;         /* in whose name the block is held */
	struct sleeplock lock; /* the rest */
	struct page *block;    /* text, or the piece at hand; NULL before the first read */
	u32 order;
	size_t length_bytes; /* of what the block has */
	u64 block_at;        /* file offset of its first byte */
	u64 cursor[2];       /* of record and piece; 0 at the start */
};

/* file.c */
void proc_file_init(void);
int proc_file_open(struct file *file, const struct proc_node *node, u16 pid);
void proc_file_release(struct file *file);
ssize_t proc_file_read(struct file *file, uaddr_t dst, size_t size_bytes);
ssize_t proc_file_write(struct file *file, uaddr_t src, size_t size_bytes);
void proc_file_claims(struct file *file, struct claims *claims);

/* The files of the root, and of each process' directory; ended by a node without a name. */
extern const struct proc_node *const procfs_root_nodes[];
extern const struct proc_node procfs_pid_nodes[];

/* pid.c */
bool procfs_pid_exists(u16 pid);
/* The name of the task with this pid, "?" if there is none. name: TASK_NAME_BYTES. */
void procfs_task_name(u16 pid, char *name);
u16 procfs_pid_next(u16 pid); /* the smallest greater one, or 0 */
u16 procfs_pid_last(void);    /* the greatest */

/* One frame a line, as Linux prints stacks. */
void procfs_print_frames(struct text *text, const u32 *frames, u32 nr);

extern const struct proc_node meminfo_node, vmstat_node, buddyinfo_node, slabinfo_node, page_owner_node,
    audit_node, checks_node, ktrace_node, ktrace_ctl_node, stacks_node, lockstat_node, pages_node,
    allocinfo_node, kpagecount_node, kpageflags_node;

#endif
