/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a ring of one page between two ends. An end is one struct file, shared by however many descriptors.
 *
 * PIPE-1  read_at <= write_at <= read_at + PAGE_SIZE; both only grow, the ring's place is the rest by PAGE_SIZE.
 * PIPE-2  bytes [read_at, write_at) belong to the reader that has `reading`, the others to the writer that has
 *         `writing`; so each copies without a lock held.
 * PIPE-3  a pipe is on the list of all, and has its page, until both ends are closed. Its count is the number of open ends,
 *         one reference FILE each.
 *
 * A writer keeps `writing` until all its bytes are in, so what one call writes is not mixed with another's. Waits
 * are killable, and quiet: a waiter holds nothing but its descriptor.
 * Locks: `pipe`; the list is under `file`.
 */
#include "fs_priv.h"

#define PIPE_BYTES PAGE_SIZE

struct pipe { /* slab cache "pipe" */
	struct spinlock lock;
	struct waitqueue wait;
	struct page *page;
	u64 read_at, write_at;
	bool reading, writing;
	bool read_open, write_open;
	u16 id;
	struct list all; /* pipes_lock */
};

static struct spinlock pipes_lock = SPINLOCK_INIT_NAMED(file, "pipes");
static struct list pipes = LIST_INIT(pipes);
static u16 last_id; /* pipes_lock */
static struct kmem_cache *pipe_cache;

static u32 pipe_count(const void *obj)
{
	const struct pipe *pipe = obj;

	return (u32)pipe->read_open + (u32)pipe->write_open;
}

void pipe_init(void)
{
	pipe_cache = kmem_cache_create("pipe", sizeof(struct pipe));
	kmem_cache_set_counted(pipe_cache, pipe_count);
}

static struct pipe *pipe_alloc(void)
{
	struct pipe *pipe;
	u16 id;

	spin_lock(&pipes_lock);
	id = ++last_id;
	spin_unlock(&pipes_lock);
	pipe = kmem_cache_alloc(pipe_cache, HOLDER(id, 0), 0);
	if (!pipe)
		return NULL;
	pipe->page = page_alloc(0, PK_PIPE, REF_PIPE, HOLDER(id, 0), 0);
	if (!pipe->page) {
		kmem_cache_free(pipe_cache, pipe, HOLDER(id, 0));
		return NULL;
	}
	pipe->page->private = pipe;
	pipe->lock = (struct spinlock)SPINLOCK_INIT(pipe);
	wait_init(&pipe->wait);
	pipe->id = id;
	spin_lock(&pipes_lock);
	list_push_back(&pipes, &pipe->all);
	spin_unlock(&pipes_lock);
	return pipe;
}

static void pipe_free(struct pipe *pipe)
{
	struct holder holder = HOLDER(pipe->id, 0);

	spin_lock(&pipes_lock);
	list_remove(&pipe->all);
	spin_unlock(&pipes_lock);
	page_put(pipe->page, REF_PIPE, holder);
	kmem_cache_free(pipe_cache, pipe, holder);
}

/* The end of it that the file is. */
static bool *end_of(struct pipe *pipe, const struct file *end)
{
	return end->type == FILE_PIPE_READ ? &pipe->read_open : &pipe->write_open;
}

static void pipe_open_end(struct pipe *pipe, struct file *end, u32 stack)
{
	spin_lock(&pipe->lock);
	kmem_record_ref(EV_obj_get, pipe, REF_FILE, file_holder(end), stack, pipe_count(pipe));
	*end_of(pipe, end) = true;
	end->pipe = pipe;
	spin_unlock(&pipe->lock);
}

int pipe_create(struct file **read_end, struct file **write_end)
{
	struct file *reader = file_alloc(FILE_PIPE_READ, O_RDONLY);
	struct file *writer = file_alloc(FILE_PIPE_WRITE, O_WRONLY);
	struct pipe *pipe = reader && writer ? pipe_alloc() : NULL;

	if (!pipe) {
		if (reader)
			file_close(reader);
		if (writer)
			file_close(writer);
		return -ENOMEM;
	}
	pipe_open_end(pipe, reader, kmem_ref_stack());
	pipe_open_end(pipe, writer, kmem_ref_stack());
	*read_end = reader;
	*write_end = writer;
	return 0;
}

void pipe_close_end(struct pipe *pipe, const struct file *end)
{
	u32 stack = kmem_ref_stack();
	bool last;

	spin_lock(&pipe->lock);
	kmem_record_ref(EV_obj_put, pipe, REF_FILE, file_holder(end), stack, pipe_count(pipe));
	*end_of(pipe, end) = false;
	last = !pipe->read_open && !pipe->write_open;
	wait_wake_all(&pipe->wait);
	spin_unlock(&pipe->lock);
	if (last)
		pipe_free(pipe);
}

/* The part of the ring from `at` on, no longer than size_bytes, that does not go around its end. */
static size_t ring_part(u64 at, size_t size_bytes)
{
	return MIN(size_bytes, PIPE_BYTES - at % PIPE_BYTES);
}
static u8 *ring_va(const struct pipe *pipe, u64 at)
{
	return (u8 *)page_to_va(pipe->page) + at % PIPE_BYTES;
}

ssize_t pipe_read(struct pipe *pipe, uaddr_t dst, size_t size_bytes)
{
	size_t available, done = 0;
	int err = 0;

	if (size_bytes == 0)
		return 0;
	spin_lock(&pipe->lock);
	while (pipe->reading || (pipe->read_at == pipe->write_at && pipe->write_open)) {
		err = wait_sleep(&pipe->wait, &pipe->lock, WAIT_KILLABLE | WAIT_QUIET);
		if (err) {
			spin_unlock(&pipe->lock);
			return err;
		}
	}
	pipe->reading = true;
	available = pipe->write_at - pipe->read_at;
	spin_unlock(&pipe->lock);

	available = MIN(available, size_bytes);
	while (done < available && !err) {
		size_t part = ring_part(pipe->read_at + done, available - done);

		err = copy_to_user(dst + done, ring_va(pipe, pipe->read_at + done), part);
		if (!err)
			done += part;
	}

	spin_lock(&pipe->lock);
	pipe->read_at += done;
	pipe->reading = false;
	wait_wake_all(&pipe->wait);
	spin_unlock(&pipe->lock);
	return done ? (ssize_t)done : err;
}

/* Waits until `writing` is free and takes it. */
static int writer_begin_locked(struct pipe *pipe)
{
	while (pipe->writing && pipe->read_open) {
		int err = wait_sleep(&pipe->wait, &pipe->lock, WAIT_KILLABLE | WAIT_QUIET);

		if (err)
			return err;
	}
	if (!pipe->read_open)
		return -EPIPE;
	pipe->writing = true;
	return 0;
}

static int wait_for_room_locked(struct pipe *pipe)
{
	while (pipe->write_at - pipe->read_at == PIPE_BYTES && pipe->read_open) {
		int err = wait_sleep(&pipe->wait, &pipe->lock, WAIT_KILLABLE | WAIT_QUIET);

		if (err)
			return err;
	}
	return pipe->read_open ? 0 : -EPIPE;
}

ssize_t pipe_write(struct pipe *pipe, uaddr_t src, size_t size_bytes)
{
	size_t done = 0;
	int err;

	if (size_bytes == 0)
		return 0;
	spin_lock(&pipe->lock);
	err = writer_begin_locked(pipe);
	if (err) {
		spin_unlock(&pipe->lock);
		return err;
	}
	while (done < size_bytes) {
		size_t part;

		err = wait_for_room_locked(pipe);
		if (err)
			break;
		part = PIPE_BYTES - (pipe->write_at - pipe->read_at);
		part = ring_part(pipe->write_at, MIN(part, size_bytes - done));
		spin_unlock(&pipe->lock);
		err = copy_from_user(ring_va(pipe, pipe->write_at), src + done, part);
		spin_lock(&pipe->lock);
		if (err)
			break;
		pipe->write_at += part;
		done += part;
		wait_wake_all(&pipe->wait);
	}
	pipe->writing = false;
	wait_wake_all(&pipe->wait);
	spin_unlock(&pipe->lock);
	return done ? (ssize_t)done : err;
}

static void claim_ring(struct claims *claims, const struct pipe *pipe)
{
	claim_page(claims, pipe->page, REF_PIPE, HOLDER(pipe->id, 0));
}

void pipe_claim(struct claims *claims, struct pipe *pipe, const struct file *end)
{
	if (claim_ref(claims, pipe, REF_FILE, file_holder(end)))
		claim_ring(claims, pipe);
}

void pipe_claims(struct claims *claims)
{
	if (claims_final(claims))
		return;
	LIST_FOR_EACH (pos, &pipes) {
		const struct pipe *pipe = LIST_ENTRY(pos, struct pipe, all);

		if (claim_object(claims, pipe))
			claim_ring(claims, pipe);
	}
}
