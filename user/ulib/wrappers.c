/* SPDX-License-Identifier: MIT */
/* The friendlier forms of system calls, and the few things that every program does with them. */
#include "ulib.h"

int wait(int *status)
{
	return (int)sys_wait(status, 0);
}

int wait_pid(int pid, int *status)
{
	for (;;) {
		int ended = wait(status);
		if (ended == pid || (ended < 0 && ended != -EINTR))
			return ended;
	}
}

int wait_nohang(int *status)
{
	return (int)sys_wait(status, WNOHANG);
}

static void *sbrk_mode(long delta, int mode)
{
	long old_end = sys_sbrk(delta, mode);
	return old_end < 0 ? NULL : (void *)old_end;
}

void *sbrk(long delta)
{
	return sbrk_mode(delta, SBRK_EAGER);
}

void *sbrk_lazy(long delta)
{
	return sbrk_mode(delta, SBRK_LAZY);
}

void *mmap(void *address, size_t size_bytes, int prot, int flags, int fd, long offset)
{
	long result = sys_mmap(address, size_bytes, prot, flags, fd, offset);

	return result < 0 ? NULL : (void *)result;
}

int sleep_ms(long ms)
{
	return (int)sys_sleep(ms);
}

int stat(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	int err = fstat(fd, st);
	close(fd);
	return err;
}

int creat(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
}

ssize_t read_full(int fd, void *buf, size_t size_bytes)
{
	size_t done = 0;

	while (done < size_bytes) {
		ssize_t n = read(fd, (char *)buf + done, size_bytes - done);
		if (n < 0 && done == 0)
			return n;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t write_full(int fd, const void *buf, size_t size_bytes)
{
	size_t done = 0;

	while (done < size_bytes) {
		ssize_t n = write(fd, (const char *)buf + done, size_bytes - done);
		if (n < 0 && done == 0)
			return n;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

char *read_file(const char *path, long *size_bytes)
{
	size_t capacity = 4096, length = 0;
	char *text = NULL;
	long result = open(path, O_RDONLY);
	int fd = (int)result;

	while (result >= 0) {
		char *larger = realloc(text, capacity);
		result = larger ? 0 : -ENOMEM;
		if (!larger)
			break;
		text = larger;
		result = read_full(fd, text + length, capacity - 1 - length);
		if (result <= 0)
			break;
		length += (size_t)result;
		if (length == capacity - 1)
			capacity *= 2;
	}
	if (fd >= 0)
		close(fd);
	if (size_bytes)
		*size_bytes = result < 0 ? result : (long)length;
	if (result < 0) {
		free(text);
		return NULL;
	}
	text[length] = 0;
	return text;
}

int exec_program(char *const *argv)
{
	char path[PATH_MAX];

	if (strchr(argv[0], '/'))
		return exec(argv[0], argv);
	if ((size_t)snprintf(path, sizeof(path), "/bin/%s", argv[0]) >= sizeof(path))
		return -ENAMETOOLONG;
	return exec(path, argv);
}

int run(char *const *argv)
{
	int status = 0;
	int pid = fork();

	if (pid < 0)
		return pid;
	if (pid == 0) {
		int err = exec_program(argv);
		fprintf(2, "%s: %s\n", argv[0], error_text(err));
		exit(127);
	}
	pid = wait_pid(pid, &status);
	return pid < 0 ? pid : status;
}

int freemem_read(struct freemem *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return freemem(info, NULL, 0);
}

int dir_open(struct dir *dir, const char *path)
{
	dir->length_bytes = dir->position_bytes = 0;
	dir->fd = open(path, O_RDONLY | O_DIRECTORY);
	return dir->fd < 0 ? dir->fd : 0;
}

struct dirent *dir_read(struct dir *dir)
{
	if (dir->position_bytes >= dir->length_bytes) {
		dir->length_bytes = getdents(dir->fd, dir->buf, sizeof(dir->buf));
		dir->position_bytes = 0;
		if (dir->length_bytes <= 0)
			return NULL;
	}
	struct dirent *entry = (struct dirent *)((char *)dir->buf + dir->position_bytes);
	dir->position_bytes += entry->d_reclen;
	return entry;
}

void dir_close(struct dir *dir)
{
	close(dir->fd);
}
