/* SPDX-License-Identifier: MIT */
/*
 * The file table of a process: slots of counted files, touched by the process itself only (or by its maker
 * before it runs). So it needs no lock; the counts inside struct file have theirs.
 */
#include "proc_priv.h"

int fd_install(struct file *file)
{
	struct proc *proc = current_proc();

	for (u32 fd = 0; fd < proc->abi->nr_files; fd++) {
		if (!proc->files[fd]) {
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
	file_close(file);
	return 0;
}

void files_copy(struct proc *child, const struct proc *parent)
{
	for (int fd = 0; fd < NOFILE; fd++)
		if (parent->files[fd])
			child->files[fd] = file_dup(parent->files[fd]);
	child->cwd = inode_dup(parent->cwd);
}

void files_close_all(struct proc *proc)
{
	struct inode *cwd = proc->cwd;

	for (int fd = 0; fd < NOFILE; fd++) {
		struct file *file = proc->files[fd];

		proc->files[fd] = NULL;
		if (file)
			file_close(file);
	}
	proc->cwd = NULL;
	if (cwd)
		inode_put(cwd);
}
