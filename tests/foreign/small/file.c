/* SPDX-License-Identifier: MIT */
/*
 * Open files: the console, and the ends of pipes. All are in one table; a process holds references.
 */
#include "kernel.h"

static struct {
	struct spinlock lock;
	struct file file[NFILE];
} ftable;

/* A file with one reference and no type yet, or NULL. */
struct file *file_alloc(void)
{
	struct file *found = NULL;

	acquire(&ftable.lock);
	for (struct file *f = ftable.file; f < ftable.file + NFILE && !found; f++)
		if (f->ref == 0)
			found = f;
	if (found) {
		found->ref = 1;
		found->type = FD_NONE;
		found->pipe = NULL;
	}
	release(&ftable.lock);
	return found;
}

struct file *file_dup(struct file *file)
{
	acquire(&ftable.lock);
	file->ref++;
	release(&ftable.lock);
	return file;
}

void file_close(struct file *file)
{
	struct file last = {.type = FD_NONE};

	acquire(&ftable.lock);
	if (file->ref < 1)
		panic("file_close");
	if (--file->ref == 0) {
		last = *file;
		file->type = FD_NONE;
		file->pipe = NULL;
	}
	release(&ftable.lock);
	if (last.type == FD_PIPE)
		pipe_close(last.pipe, last.writable);
}

int file_read(struct file *file, u64 va, int size)
{
	if (file->type == FD_CONSOLE)
		return console_read(va, size);
	return file->writable ? -1 : pipe_read(file->pipe, va, size);
}

int file_write(struct file *file, u64 va, int size)
{
	char part[128];
	int done = 0;

	if (file->type == FD_PIPE)
		return file->writable ? pipe_write(file->pipe, va, size) : -1;
	while (done < size) {
		u64 n = (u64)(size - done) < sizeof(part) ? (u64)(size - done) : sizeof(part);

		if (copyin(part, va + (u64)done, n) < 0)
			return -1;
		console_write(part, n);
		done += (int)n;
	}
	return done;
}
