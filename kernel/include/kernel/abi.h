/* SPDX-License-Identifier: MIT */
/*
 * Personalities: what a system call, a fault and exec mean to programs that were written for another system.
 *
 * Such a program differs from ours in many small things: how long a name is, what read gives of a directory, where the stack
 * lies. If each place asked "is it one of those?", a reader of exec would have to know that system, and a second one would double the
 * questions. So each system is a table of operations in a folder of its own above this one, and proc->abi says which
 * table holds. sys_write, for example, checks its arguments and ends in
 *
 *     return current_proc()->abi->write(file, arg[1], arg[2]);
 *
 * which is file_write for our programs, and for xv6's a function that also knows how long a file may become there.
 *
 * Exec chooses the table by the ELF header, fork hands it down. What a personality keeps for a process lies in proc->abi_state;
 * only its own functions know what it is. It outlives exec, as a parent may ask for something that the programs it starts must obey
 * (a call refused): who watches calls sets proc->watch, which outlives exec, too, whatever table holds then. Two
 * pointers for what is rare, and not two more entries that every call goes through: a call costs one test.
 *
 * ABI-1  every process on the list of all has a table.
 */
#ifndef KERNEL_ABI_H
#define KERNEL_ABI_H

#include <kernel/fs.h>

struct proc;
struct task;
struct mm;

struct proc_abi {
	const char *name;
	u8 elf_version; /* the ABI version in the program's ELF header, by which exec finds the table; 0: ours */
	u32 nr_files;                  /* descriptors that a process can have open; at most NOFILE */
	u32 nr_args;                   /* of exec, when such a program calls it */
	bool unlink_takes_directories; /* empty ones */

	/* System calls whose arguments were checked. */
	ssize_t (*read)(struct file *file, uaddr_t dst, size_t size_bytes);
	ssize_t (*write)(struct file *file, uaddr_t src, size_t size_bytes);
	int (*give_stat)(const struct stat *st, uaddr_t ua); /* fstat's answer: 0 or -EFAULT */
	s64 (*sbrk)(struct mm *mm, s64 delta, bool lazy);    /* as mm_sbrk */
	s64 (*call)(const u64 *arg); /* the system call `abi`: what only this system has */
	/* NULL, or changes a path as it comes from the program: 0 or -ENAMETOOLONG. */
	int (*fit_path)(char *path);
	/* NULL, or whether that system's exec would take them. */
	bool (*args_fit)(char *const *argv, u32 argc);

	/* exec: where a new image's stack ends, and how long it is. Image mapped. */
	uaddr_t (*stack_top)(const struct mm *mm);
	u64 stack_bytes;
	/* NULL, or the last step of making it; the stack is mapped and filled. 0 or errno. */
	int (*image_made)(struct mm *mm, uaddr_t stack_top);
	/* NULL, or: a program of this system begins in proc. Nothing can fail here. */
	void (*entered)(struct proc *proc);

	/* NULL: no. Whether fork copies pages at once. */
	bool (*copies_at_fork)(const struct proc *proc);
	/* NULL, or: child has its parent's abi_state; mm is the child's. Nothing can fail here. */
	void (*forked)(struct proc *child, struct mm *mm);

	/* NULL, or: no VMA is there. What to do about a fault of user mode: 0, or -EFAULT, -ENOMEM. */
	int (*user_fault)(struct task *task, uaddr_t ua, bool write, bool exec);
};

extern const struct proc_abi native_abi;
/* Before the first program. Panics when there are too many. */
void abi_register(const struct proc_abi *abi);
/* The one that a program with this version in its ELF header has. */
const struct proc_abi *abi_of_elf(u8 elf_version);

#endif
