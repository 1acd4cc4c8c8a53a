/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a ring of bytes in a page of its own, and two ends that may close in any order. The last one frees the page.
 *
 * User memory is never touched under the lock: bytes go through a small buffer on the stack.
 */
#include "kernel.h"

#define PIPE_SIZE 2048

struct pipe {
	struct spinlock lock;
	u32 nread, nwrite; /* of all time; their difference is what is in the ring */
	int readopen, writeopen;
	u32 closes; /* how many ends were closed */
	char data[PIPE_SIZE];
};

int pipe_alloc(struct file **reader, struct file **writer)
{
	struct pipe *pipe = kalloc();

	*reader = file_alloc();
	*writer = file_alloc();
	if (!pipe || !*reader || !*writer) {
		if (pipe)
			kfree(pipe);
		if (*reader)
			file_close(*reader);
		if (*writer)
			file_close(*writer);
		return -1;
	}
	initlock(&pipe->lock, "pipe");
	pipe->nread = pipe->nwrite = pipe->closes = 0;
	pipe->readopen = pipe->writeopen = 1;
	(*reader)->pipe = (*writer)->pipe = pipe;
	(*reader)->writable = 0;
	(*writer)->writable = 1;
	(*reader)->type = (*writer)->type = FD_PIPE;
	return 0;
}

void pipe_close(struct pipe *pipe, int writable)
{
	int last;

	acquire(&pipe->lock);
	if (writable) {
		pipe->writeopen = 0;
		wakeup(&pipe->nread);
	} else {
		pipe->readopen = 0;
		wakeup(&pipe->nwrite);
	}
	last = !pipe->readopen && !pipe->writeopen;
	release(&pipe->lock);
	if (!last)
		return;
	if (MISTAKEN(pipe_page_stays) && writable) {
		truth("leak", pipe);
		return;
	}
	kfree(pipe);
	if (MISTAKEN(write_after_free)) {
		pipe->closes++;
		truth("write", pipe);
	}
}

int pipe_write(struct pipe *pipe, u64 va, int size)
{
	char part[64];
	int done = 0;

	while (done < size) {
		int n = size - done < (int)sizeof(part) ? size - done : (int)sizeof(part);

		if (copyin(part, va + (u64)done, (u64)n) < 0)
			return -1;
		acquire(&pipe->lock);
		for (int i = 0; i < n;) {
			if (!pipe->readopen || killed(myproc())) {
				release(&pipe->lock);
				return -1;
			}
			if (pipe->nwrite == pipe->nread + PIPE_SIZE) {
				wakeup(&pipe->nread);
				sleep(&pipe->nwrite, &pipe->lock);
			} else {
				pipe->data[pipe->nwrite++ % PIPE_SIZE] = part[i++];
			}
		}
		wakeup(&pipe->nread);
		release(&pipe->lock);
		done += n;
	}
	return done;
}

/* What is there, at most size bytes; 0 when nobody can write any more. */
int pipe_read(struct pipe *pipe, u64 va, int size)
{
	char part[64];
	int n = 0;

	acquire(&pipe->lock);
	while (pipe->nread == pipe->nwrite && pipe->writeopen) {
		if (killed(myproc())) {
			release(&pipe->lock);
			return -1;
		}
		sleep(&pipe->nread, &pipe->lock);
	}
	while (n < size && n < (int)sizeof(part) && pipe->nread != pipe->nwrite)
		part[n++] = pipe->data[pipe->nread++ % PIPE_SIZE];
	wakeup(&pipe->nwrite);
	release(&pipe->lock);
	return copyout(va, part, (u64)n) < 0 ? -1 : n;
}
