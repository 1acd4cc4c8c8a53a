/* SPDX-License-Identifier: MIT */
/*
 * The file table of a process: slots of counted files (reference FD, held by pid and slot), touched by the process itself only (or by its maker
 * before it runs). So it needs no lock; the counts inside struct file have theirs.
 */
#include "proc_priv.h"

int fd_install(struct file *file)
{
	struct proc *proc = current_proc();

	for (u32 fd = 0; fd < proc->abi->nr_files; fd++) {
		if (!proc->files[fd]) {
			file_pass(file, REF_FD, HOLDER(proc->task->pid, fd));
			proc->files[fd] = file;
			return (int)fd;
		}
	}
	return -EMFILE;
}

struct file *fd_file(int fd)
{
	return fd >= 0 && fd < NOFILE ? current_proc()->files[fd] : NULL;
}

int fd_close(int fd)
{
	struct file *file = fd_file(fd);

	if (!file)
		return -EBADF;
	current_proc()->files[fd] = NULL;
	file_put_ref(file, REF_FD, HOLDER(current_task()->pid, fd));
	return 0;
}

ARCH_OUTERMOST void files_copy(struct proc *child, const struct proc *parent)
{
	u16 pid = child->task->pid;

	for (int fd = 0; fd < NOFILE; fd++)
		if (parent->files[fd]) {
			file_get_ref(parent->files[fd], REF_FD, HOLDER(pid, fd));
			child->files[fd] = parent->files[fd];
		}
	inode_get_ref(parent->cwd, REF_CWD, CWD_HOLDER(pid));
	child->cwd = parent->cwd;
}

void files_close_all(struct proc *proc)
{
	struct inode *cwd = proc->cwd;
	u16 pid = proc->task->pid;

	for (int fd = 0; fd < NOFILE; fd++) {
		struct file *file = proc->files[fd];

		proc->files[fd] = NULL;
		if (file)
			file_put_ref(file, REF_FD, HOLDER(pid, fd));
	}
	proc->cwd = NULL;
	if (cwd)
		inode_put_ref(cwd, REF_CWD, CWD_HOLDER(pid));
}
