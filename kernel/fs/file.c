/* SPDX-License-Identifier: MIT */
/*
 * Open files: what descriptors point to. A file is counted by the descriptors (of all processes) that share it; the
 * last close gives back the inode or the pipe's end.
 *
 * The position of a file with an inode is guarded by position_lock, taken before the inode's lock. Devices and pipes
 * have no position to guard, and may block for ever, so they are used without it.
 * Locks: `file` for counts.
 */
#include "fs_priv.h"
#include <kernel/arch.h>

#define TRANSFER_MAX_BYTES 0x7ffff000UL /* of one call: the result fits every signed type */

static struct spinlock file_lock = SPINLOCK_INIT(file);
static struct kmem_cache *file_cache;

static u32 file_count(const void *obj)
{
	return ((const struct file *)obj)->count;
}

void file_init(void)
{
	file_cache = kmem_cache_create("file", sizeof(struct file));
	kmem_cache_set_counted(file_cache, file_count);
}

static struct holder call_holder(void)
{
	return HOLDER(trace_current_pid(), 0);
}

static void get(struct file *file, enum ref_kind ref, struct holder holder, u32 stack)
{
	spin_lock(&file_lock);
	kmem_record_ref(EV_obj_get, file, ref, holder, stack, file->count++);
	spin_unlock(&file_lock);
}

struct file *file_alloc(enum file_type type, u32 flags)
{
	struct file *file = kmem_cache_alloc(file_cache, HOLDER_NONE, 0);

	if (!file)
		return NULL;
	file->type = type;
	file->flags = flags;
	sleeplock_init(&file->position_lock, "position");
	get(file, REF_CALL, call_holder(), kmem_ref_stack());
	return file;
}

struct holder file_holder(const struct file *file)
{
	return HOLDER(0, kmem_object_number(file));
}

struct file *file_dup(struct file *file)
{
	KASSERT(file->count > 0);
	get(file, REF_CALL, call_holder(), kmem_ref_stack());
	return file;
}

void file_get_ref(struct file *file, enum ref_kind ref, struct holder holder)
{
	KASSERT(file->count > 0);
	get(file, ref, holder, kmem_ref_stack());
}

void file_pass(struct file *file, enum ref_kind ref, struct holder holder)
{
	u32 stack = kmem_ref_stack();

	spin_lock(&file_lock);
	kmem_record_ref(EV_obj_get, file, ref, holder, stack, file->count);
	kmem_record_ref(EV_obj_put, file, REF_CALL, call_holder(), stack, file->count + 1);
	spin_unlock(&file_lock);
}

/* Nobody has it any more. */
static void file_free(struct file *file)
{
	if (file->pipe)
		pipe_close_end(file->pipe, file);
	if (file->inode) {
		if (file->inode->ops->release)
			file->inode->ops->release(file->inode, file);
		inode_put_ref(file->inode, REF_FILE, file_holder(file));
	}
	kmem_cache_free(file_cache, file, HOLDER_NONE);
}

static void put(struct file *file, enum ref_kind ref, struct holder holder, u32 stack)
{
	bool last;

	spin_lock(&file_lock);
	KASSERT(file->count > 0);
	kmem_record_ref(EV_obj_put, file, ref, holder, stack, file->count);
	last = --file->count == 0;
	spin_unlock(&file_lock);
	if (last)
		file_free(file);
}

void file_close(struct file *file)
{
	put(file, REF_CALL, call_holder(), kmem_ref_stack());
}

void file_put_ref(struct file *file, enum ref_kind ref, struct holder holder)
{
	put(file, ref, holder, kmem_ref_stack());
}

static bool may_read(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_WRONLY;
}
static bool may_write(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_RDONLY;
}

/* ---- open ---- */

/* What the type of the inode (locked) says about opening it like this. */
static int check_open(const struct inode *inode, u32 flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;

	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		return writes || (flags & (O_CREAT | O_TRUNC)) ? -EISDIR : 0;
	case S_IFREG:
		return flags & O_DIRECTORY ? -ENOTDIR : 0;
	case S_IFCHR:
		if (flags & O_DIRECTORY)
			return -ENOTDIR;
		return dev_lookup((u16)(inode->device >> 8)) ? 0 : -ENXIO;
	case S_IFLNK: /* the link itself, to look at */
		return flags & O_DIRECTORY ? -ENOTDIR : writes ? -ELOOP : 0;
	default:
		return -ENXIO;
	}
}

static int open_inode(struct file *file, struct inode *inode)
{
	u32 flags = file->flags;
	int err = inode_lock(inode);

	if (err)
		return err;
	err = check_open(inode, flags);
	if (!err && inode_is(inode, S_IFCHR)) {
		file->type = FILE_DEVICE;
		file->device = dev_lookup((u16)(inode->device >> 8));
	}
	if (!err && inode_is(inode, S_IFREG) && (flags & O_TRUNC) && may_write(file) && inode->ops->truncate)
		err = inode->ops->truncate(inode, 0);
	if (!err && inode->ops->open)
		err = inode->ops->open(inode, file);
	inode_unlock(inode);
	return err;
}

int file_open(struct inode *cwd, const char *path, u32 flags, u32 mode, struct file **result)
{
	struct inode *inode;
	struct file *file;
	int err;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	/* The file first: a failure after the creation of an inode would leave an empty one behind. */
	file = file_alloc(FILE_INODE, flags);
	if (!file)
		return -ENOMEM;
	err = path_open(cwd, path, flags, mode, &inode);
	if (!err) {
		err = open_inode(file, inode);
		if (err)
			inode_put(inode);
	}
	if (err) {
		file_close(file);
		return err;
	}
	inode_pass(inode, REF_FILE, file_holder(file));
	file->inode = inode;
	*result = file;
	return 0;
}

/* ---- read, write, seek ---- */

static ssize_t read_inode_file(struct file *file, uaddr_t dst, size_t size_bytes)
{
	struct inode *inode = file->inode;
	ssize_t bytes;

	if (inode->ops->file_read)
		return inode->ops->file_read(file, dst, size_bytes);
	sleeplock_acquire(&file->position_lock);
	bytes = inode_lock(inode);
	if (!bytes) {
		if (inode_is(inode, S_IFDIR))
			bytes = -EISDIR;
		else if (!inode->ops->read)
			bytes = -EINVAL;
		else
			bytes = inode->ops->read(inode, file->offset, dst, size_bytes, true, &file->ahead);
		inode_unlock(inode);
	}
	if (bytes > 0)
		file->offset += (u64)bytes;
	sleeplock_release(&file->position_lock);
	return bytes;
}

static ssize_t write_inode_file(struct file *file, uaddr_t src, size_t size_bytes)
{
	struct inode *inode = file->inode;
	ssize_t bytes;

	if (inode->ops->file_write)
		return inode->ops->file_write(file, src, size_bytes);
	sleeplock_acquire(&file->position_lock);
	bytes = inode_lock(inode);
	if (!bytes) {
		u64 offset = file->flags & O_APPEND ? inode->size : file->offset;

		bytes = inode->ops->write ? inode->ops->write(inode, offset, src, size_bytes, true) : -EINVAL;
		inode_unlock(inode);
		if (bytes > 0)
			file->offset = offset + (u64)bytes;
	}
	sleeplock_release(&file->position_lock);
	return bytes;
}

ssize_t file_read(struct file *file, uaddr_t dst, size_t size_bytes)
{
	if (!may_read(file))
		return -EBADF;
	size_bytes = MIN(size_bytes, TRANSFER_MAX_BYTES);
	switch (file->type) {
	case FILE_PIPE_READ:
		return pipe_read(file->pipe, dst, size_bytes);
	case FILE_DEVICE:
		return file->device->read ? file->device->read(dst, size_bytes, &file->offset) : -EINVAL;
	case FILE_INODE:
		return read_inode_file(file, dst, size_bytes);
	default:
		return -EBADF;
	}
}

ssize_t file_write(struct file *file, uaddr_t src, size_t size_bytes)
{
	if (!may_write(file))
		return -EBADF;
	size_bytes = MIN(size_bytes, TRANSFER_MAX_BYTES);
	switch (file->type) {
	case FILE_PIPE_WRITE:
		return pipe_write(file->pipe, src, size_bytes);
	case FILE_DEVICE:
		return file->device->write ? file->device->write(src, size_bytes, &file->offset) : -EINVAL;
	case FILE_INODE:
		return write_inode_file(file, src, size_bytes);
	default:
		return -EBADF;
	}
}

static s64 seek_base(struct file *file, u32 whence)
{
	switch (whence) {
	case SEEK_SET:
		return 0;
	case SEEK_CUR:
		return (s64)file->offset;
	case SEEK_END:
		return (s64)file->inode->size;
	default:
		return -EINVAL;
	}
}

s64 file_seek(struct file *file, s64 offset, u32 whence)
{
	s64 position;

	if (file->type != FILE_INODE)
		return -ESPIPE;
	sleeplock_acquire(&file->position_lock);
	position = inode_lock(file->inode);
	if (!position) {
		position = seek_base(file, whence);
		if (position >= 0 && (__builtin_add_overflow(position, offset, &position) || position < 0))
			position = -EINVAL;
		inode_unlock(file->inode);
	}
	if (position >= 0)
		file->offset = (u64)position;
	sleeplock_release(&file->position_lock);
	return position;
}

/* ---- the rest ---- */

void inode_stat(struct inode *inode, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = inode->sb->device_id;
	st->st_ino = inode->number;
	st->st_mode = inode->mode;
	st->st_nlink = inode->links;
	st->st_rdev = inode->device;
	st->st_blksize = PAGE_SIZE;
	st->st_size = inode->size;
	st->st_blocks = inode->mapping.ops ? inode->ext2.nr_sectors : 0;
	st->st_mtime = inode->mtime;
}

int file_stat(struct file *file, struct stat *st)
{
	int err;

	if (!file->inode) {
		memset(st, 0, sizeof(*st));
		st->st_mode = S_IFIFO | 0600;
		st->st_nlink = 1;
		st->st_blksize = PAGE_SIZE;
		return 0;
	}
	err = inode_lock(file->inode);
	if (err)
		return err;
	inode_stat(file->inode, st);
	inode_unlock(file->inode);
	return 0;
}

int file_sync(struct file *file)
{
	int err;

	if (file->type != FILE_INODE)
		return -EINVAL;
	err = inode_lock(file->inode);
	if (err)
		return err;
	if (file->inode->ops->fsync)
		err = file->inode->ops->fsync(file->inode);
	inode_unlock(file->inode);
	return err;
}

int file_truncate(struct file *file, u64 size_bytes)
{
	int err;

	if (file->type != FILE_INODE || !may_write(file))
		return -EINVAL;
	err = inode_lock(file->inode);
	if (err)
		return err;
	if (!inode_is(file->inode, S_IFREG) || !file->inode->ops->truncate)
		err = -EINVAL;
	else
		err = file->inode->ops->truncate(file->inode, size_bytes);
	inode_unlock(file->inode);
	return err;
}

void file_claim(struct claims *claims, struct file *file, enum ref_kind ref, struct holder holder)
{
	if (!claim_ref(claims, file, ref, holder))
		return;
	if (file->pipe)
		pipe_claim(claims, file->pipe, file);
	if (file->inode) {
		inode_claim(claims, file->inode, REF_FILE, file_holder(file));
		if (file->inode->ops->claims)
			file->inode->ops->claims(file, claims);
	}
}

/* ---- directories ---- */

u8 dirent_type(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return DT_REG;
	case S_IFDIR:
		return DT_DIR;
	case S_IFCHR:
		return DT_CHR;
	case S_IFIFO:
		return DT_FIFO;
	case S_IFLNK:
		return DT_LNK;
	default:
		return DT_UNKNOWN;
	}
}

struct getdents {
	uaddr_t dst;
	size_t left_bytes;
	const u64 *position;
	int err;
	bool too_small; /* an entry did not fit */
	union {
		struct dirent record;
		u8 bytes[sizeof(struct dirent) + NAME_MAX + 1 + 8];
	};
};

static bool getdents_emit(void *arg, const char *name, u32 name_bytes, u32 inode_number, u8 type)
{
	struct getdents *get = arg;
	size_t fixed = offsetof(struct dirent, d_name);
	size_t length = (fixed + name_bytes + 1 + 7) & ~7UL;

	if (length > get->left_bytes || name_bytes > NAME_MAX) {
		get->too_small = true;
		return false;
	}
	memset(get->bytes, 0, length);
	get->record.d_ino = inode_number;
	get->record.d_off = *get->position;
	get->record.d_reclen = (u16)length;
	get->record.d_type = type;
	memcpy(get->bytes + fixed, name, name_bytes);
	get->err = copy_to_user(get->dst, get->bytes, length);
	if (get->err)
		return false;
	get->dst += length;
	get->left_bytes -= length;
	return true;
}

ssize_t file_getdents(struct file *file, uaddr_t dst, size_t size_bytes)
{
	struct getdents get = {
	    .dst = dst, .left_bytes = MIN(size_bytes, TRANSFER_MAX_BYTES), .position = &file->offset};
	struct inode *inode = file->inode;
	int err;

	if (file->type != FILE_INODE)
		return -ENOTDIR;
	if (!may_read(file))
		return -EBADF;
	sleeplock_acquire(&file->position_lock);
	err = inode_lock(inode);
	if (!err) {
		if (!inode_is(inode, S_IFDIR) || !inode->ops->readdir)
			err = -ENOTDIR;
		else if (inode->links > 0)
			err = inode->ops->readdir(inode, &file->offset, getdents_emit, &get);
		inode_unlock(inode);
	}
	sleeplock_release(&file->position_lock);
	if (get.dst != dst)
		return (ssize_t)(get.dst - dst);
	return err ? err : get.err ? get.err : get.too_small ? -EINVAL : 0;
}
