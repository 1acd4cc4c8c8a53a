/* SPDX-License-Identifier: MIT */
/*
 * Open /proc files: a block of kernel memory with the text, and where the reader is in it.
 *
 * Nothing is built at open: /proc/audit must find its own reader in order, with its descriptor in the table,
 * and not in the middle of a path walk. The first read does it, and every read from offset 0.
 *
 * PROCFILE-1  a proc_file is its open file's `private`; its block, if any, has one reference OWNER (owner_pid, 0).
 * PROCFILE-2  the block has the bytes [block_at, block_at + length_bytes) of the file.
 *
 * Lock: the file's own sleep lock, as processes may share one.
 */
#include "procfs_priv.h"
#include <kernel/slab.h>

#define SHOW_ORDER_MAX 6 /* 256 KiB of text are cut there */

static struct kmem_cache *file_cache;

void proc_file_init(void)
{
	file_cache = kmem_cache_create("procfile", sizeof(struct proc_file));
}

int proc_file_open(struct file *file, const struct proc_node *node, u16 pid)
{
	struct proc_file *proc_file = kmem_cache_alloc(file_cache, HOLDER_NONE, 0);

	if (!proc_file)
		return -ENOMEM;
	proc_file->node = node;
	proc_file->pid = pid;
	sleeplock_init(&proc_file->lock, "procfile");
	file->private = proc_file;
	return 0;
}

/* A block of another size, without contents; the old one stays when there is no memory. */
static int block_resize(struct proc_file *file, u32 order)
{
	struct page *old = file->block;
	u16 old_pid = file->owner_pid;
	u16 pid = current_task()->pid;
	struct page *block = page_alloc(order, PK_KERNEL, REF_OWNER, HOLDER(pid, 0), 0);

	if (!block)
		return -ENOMEM;
	file->owner_pid = pid;
	file->block = block;
	file->order = order;
	file->length_bytes = 0;
	if (old)
		page_put(old, REF_OWNER, HOLDER(old_pid, 0));
	return 0;
}

void proc_file_release(struct file *file)
{
	struct proc_file *proc_file = file->private;

	file->private = NULL;
	if (proc_file->block)
		page_put(proc_file->block, REF_OWNER, HOLDER(proc_file->owner_pid, 0));
	kmem_cache_free(file_cache, proc_file, HOLDER_NONE);
}

/* Builds the whole text; grows the block until it fits, or takes what fits when it cannot grow. */
static int build_text(struct proc_file *file)
{
	for (;;) {
		size_t capacity = PAGE_SIZE << file->order;
		struct text text = {page_to_va(file->block), capacity, 0};
		int err = file->node->show(file, &text);

		if (err)
			return err;
		/* The last byte of a text is its 0. */
		file->length_bytes = MIN(text.length_bytes, capacity - 1);
		file->block_at = 0;
		if (text.length_bytes < capacity || file->order == SHOW_ORDER_MAX ||
		    block_resize(file, file->order + 1))
			return 0;
	}
}

/* As many records as the block takes. */
static void build_records(struct proc_file *file)
{
	size_t capacity = PAGE_SIZE << file->order;
	struct text text = {page_to_va(file->block), capacity, 0};

	for (;;) {
		size_t whole = text.length_bytes;
		u64 cursor[2] = {file->cursor[0], file->cursor[1]};

		if (!file->node->record(file, &text))
			break;
		if (text.length_bytes < capacity)
			continue;
		if (whole == 0) { /* larger than any block: cut, and on with the next */
			text.length_bytes = capacity - 1;
			break;
		}
		text.length_bytes = whole;
		file->cursor[0] = cursor[0];
		file->cursor[1] = cursor[1];
		break;
	}
	file->length_bytes = text.length_bytes;
}

/* Puts the bytes at `offset` into the block. Afterwards length_bytes 0 is the end of the file. */
static int block_fill(struct proc_file *file, u64 offset)
{
	const struct proc_node *node = file->node;
	int err;

	if (!file->block) {
		err = block_resize(file, node->order);
		if (err)
			return err;
	} else if (offset > 0 && offset - file->block_at < file->length_bytes) {
		return 0;
	}
	if (node->show) {
		if (offset == 0 || file->length_bytes == 0)
			return build_text(file);
		return 0;
	}
	if (offset == 0) {
		file->cursor[0] = file->cursor[1] = 0;
		file->block_at = file->length_bytes = 0;
	}
	/* A stream goes forward only. */
	if (offset != file->block_at + file->length_bytes)
		return -ESPIPE;
	file->block_at = offset;
	file->length_bytes = 0;
	if (node->piece) {
		ssize_t size = node->piece(file, page_to_va(file->block), PAGE_SIZE << file->order);

		if (size < 0)
			return (int)size;
		file->length_bytes = (size_t)size;
	} else {
		build_records(file);
	}
	return 0;
}

/* The entries that the bytes [offset, offset + size_bytes) touch, as many as the block takes. 0 or an error. */
static int block_fill_entries(struct proc_file *file, u64 offset, size_t size_bytes)
{
	u64 first = offset / sizeof(u64);
	u64 nr_capacity = (PAGE_SIZE << file->node->order) / sizeof(u64);
	u64 nr_wanted = (offset % sizeof(u64) + MIN(size_bytes, PAGE_SIZE) + sizeof(u64) - 1) / sizeof(u64);
	s64 nr;
	int err = file->block ? 0 : block_resize(file, file->node->order);

	if (err)
		return err;
	nr = file->node->entries(file, first, page_to_va(file->block), MIN(nr_wanted, nr_capacity));
	file->block_at = first * sizeof(u64);
	file->length_bytes = nr > 0 ? (size_t)nr * sizeof(u64) : 0;
	return nr < 0 ? (int)nr : 0;
}

static ssize_t read_locked(struct proc_file *file, u64 offset, uaddr_t dst, size_t size_bytes)
{
	u64 in_block;
	size_t size;
	int err =
	    file->node->entries ? block_fill_entries(file, offset, size_bytes) : block_fill(file, offset);

	if (err)
		return err;
	in_block = offset - file->block_at;
	if (in_block >= file->length_bytes)
		return 0;
	size = MIN(size_bytes, file->length_bytes - in_block);
	err = copy_to_user(dst, (u8 *)page_to_va(file->block) + in_block, size);
	return err ? err : (ssize_t)size;
}

ssize_t proc_file_read(struct file *file, uaddr_t dst, size_t size_bytes)
{
	struct proc_file *proc_file = file->private;
	const struct proc_node *node = proc_file->node;
	ssize_t size;

	if (!node->show && !node->record && !node->piece && !node->entries)
		return -EINVAL;
	if (!size_bytes)
		return 0;
	sleeplock_acquire(&proc_file->lock);
	size = read_locked(proc_file, file->offset, dst, size_bytes);
	if (size > 0)
		file->offset += (u64)size;
	sleeplock_release(&proc_file->lock);
	return size;
}

ssize_t proc_file_write(struct file *file, uaddr_t src, size_t size_bytes)
{
	struct proc_file *proc_file = file->private;
	char text[64];
	int err;

	if (!proc_file->node->write || size_bytes >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, src, size_bytes))
		return -EFAULT;
	text[size_bytes] = 0;
	/* A line may end like one. */
	if (size_bytes && text[size_bytes - 1] == '\n')
		text[size_bytes - 1] = 0;
	err = proc_file->node->write(proc_file, text);
	return err ? err : (ssize_t)size_bytes;
}

void proc_file_claims(struct file *file, struct claims *claims)
{
	const struct proc_file *proc_file = file->private;

	if (claim_object(claims, proc_file) && proc_file->block)
		claim_page(claims, proc_file->block, REF_OWNER, HOLDER(proc_file->owner_pid, 0));
}
