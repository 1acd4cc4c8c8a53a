/* SPDX-License-Identifier: MIT */
/* System calls on open files. */
#include "syscall_priv.h"

s64 sys_open(const u64 *arg)
{
	struct file *file;
	char *path;
	int fd, err = path_from_user(arg[0], &path);

	if (err)
		return err;
	err = file_open(current_proc()->cwd, path, (u32)arg[1], (u32)arg[2], &file);
	path_release(path);
	if (err)
		return err;
	fd = fd_install(file);
	if (fd < 0)
		file_close(file);
	return fd;
}

s64 sys_close(const u64 *arg)
{
	return fd_close((int)arg[0]);
}

s64 sys_read(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);
	int err;

	if (!file)
		return -EBADF;
	err = check_user_range(arg[1], arg[2]);
	if (err)
		return err;
	return current_proc()->abi->read(file, arg[1], arg[2]);
}

s64 sys_write(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);
	int err;

	if (!file)
		return -EBADF;
	err = check_user_range(arg[1], arg[2]);
	if (err)
		return err;
	return current_proc()->abi->write(file, arg[1], arg[2]);
}

s64 sys_lseek(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);

	return file ? file_seek(file, (s64)arg[1], (u32)arg[2]) : -EBADF;
}

s64 sys_dup(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);
	int fd;

	if (!file)
		return -EBADF;
	file_dup(file);
	fd = fd_install(file);
	if (fd < 0)
		file_close(file);
	return fd;
}

s64 sys_pipe(const u64 *arg)
{
	struct file *ends[2];
	s32 fds[2];
	int err = pipe_create(&ends[0], &ends[1]);

	if (err)
		return err;
	fds[0] = fd_install(ends[0]);
	if (fds[0] < 0) {
		file_close(ends[0]);
		file_close(ends[1]);
		return fds[0];
	}
	fds[1] = fd_install(ends[1]);
	if (fds[1] < 0) {
		fd_close(fds[0]);
		file_close(ends[1]);
		return fds[1];
	}
	if (copy_to_user(arg[0], fds, sizeof(fds))) {
		fd_close(fds[0]);
		fd_close(fds[1]);
		return -EFAULT;
	}
	return 0;
}

s64 sys_fstat(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);
	struct stat st;
	int err;

	if (!file)
		return -EBADF;
	memset(&st, 0, sizeof(st));
	err = file_stat(file, &st);
	if (err)
		return err;
	return current_proc()->abi->give_stat(&st, arg[1]);
}

s64 sys_getdents(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);
	int err;

	if (!file)
		return -EBADF;
	err = check_user_range(arg[1], arg[2]);
	return err ? err : file_getdents(file, arg[1], arg[2]);
}

s64 sys_fsync(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);

	return file ? file_sync(file) : -EBADF;
}

s64 sys_ftruncate(const u64 *arg)
{
	struct file *file = fd_file((int)arg[0]);

	if (!file)
		return -EBADF;
	return (s64)arg[1] < 0 ? -EINVAL : file_truncate(file, arg[1]);
}

s64 sys_sync(const u64 *arg)
{
	return fs_sync();
}
