/* SPDX-License-Identifier: MIT */
/* proc's own: what its files share. */
#ifndef PROC_PRIV_H
#define PROC_PRIV_H

#include <kernel/errno.h>
#include <kernel/lib.h>
#include <kernel/proc.h>
#include <kernel/slab.h>
#include <kernel/waitqueue.h>

/* So that a fork storm ends with -EAGAIN and not by starving everybody of kernel stacks. */
#define NR_PROCS_MAX 500

extern struct spinlock proctree_lock;
extern struct list proc_all;        /* proctree */
extern struct proc *proc_init_proc; /* pid 1 */
extern bool proc_powering_off;      /* proctree; set once: no more forks */
extern u32 nr_procs;                /* proctree */

/* proc.c: a process with a new task, on no list yet. NULL: *err says why. */
struct proc *proc_create(u16 pid, const char *name, int *err);
/* Undoes proc_create. */
void proc_discard(struct proc *proc);
/* Enters it into the tree; from now on it can be killed and waited for. */
void proc_link(struct proc *proc, struct proc *parent);
/* Takes a zombie out of the tree and frees it. proctree. */
void proc_free_locked(struct proc *proc);

/* exit.c: the address space of the current process, which runs on the kernel's table from then on. */
void proc_give_up_memory(struct proc *proc);

/* files.c */
void files_copy(struct proc *child, const struct proc *parent);
void files_close_all(struct proc *proc); /* and the directory */

/* exec.c */
struct exec_image {
	struct mm *mm;
	uaddr_t entry, sp, argv;
	u32 argc;
	const struct proc_abi *abi;
	u8 abi_flags;
	char name[TASK_NAME_BYTES];
};
/* elf.c: maps and fills the image of `inode` into the empty image->mm; sets entry, abi and its flags. 0, -ENOEXEC, -EACCES, -ENOMEM, -EIO. */
int elf_load(struct inode *inode, struct exec_image *image);

int exec_build(struct inode *cwd, const char *path, char *const *argv, u32 argc, u16 pid,
	       struct exec_image *image);
/* Makes the image the one of this task; the old one stays the caller's. */
void exec_enter(struct task *task, const struct exec_image *image);

/* oom.c */
void oom_report(void);

#endif
