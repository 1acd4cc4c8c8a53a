/* SPDX-License-Identifier: MIT */
/* Names, files and directories as programs for xv6 know them. */
#include "xv6_priv.h"

#define XV6_NAME_BYTES 14U
#define XV6_FILE_BYTES (268 * 1024UL)
#define XV6_LARGE_FILE_BYTES (65803 * 1024UL)

struct xv6_dirent {
	u16 inode;
	char name[XV6_NAME_BYTES];
};
STATIC_ASSERT(sizeof(struct xv6_dirent) == 16, "what programs read");

int xv6_fit_path(char *path)
{
	u32 kept = 0;
	char *to = path;

	if (strlen(path) >= XV6_PATH_BYTES)
		return -ENAMETOOLONG;
	for (const char *from = path; *from; from++) {
		kept = *from == '/' ? 0 : kept + 1;
		if (kept <= XV6_NAME_BYTES)
			*to++ = *from;
	}
	*to = 0;
	return 0;
}

static bool reads_directory(const struct file *file)
{
	return file->type == FILE_INODE && (file->inode->mode & S_IFMT) == S_IFDIR;
}

struct directory_read {
	uaddr_t dst;
	size_t left_bytes;
	int err;
};

static bool emit_record(void *arg, const char *name, u32 name_bytes, u32 inode_number, u8 type)
{
	struct directory_read *read = arg;
	struct xv6_dirent record = {.inode = (u16)inode_number};

	if (read->left_bytes < sizeof(record))
		return false;
	memcpy(record.name, name, MIN(name_bytes, XV6_NAME_BYTES));
	read->err = copy_to_user(read->dst, &record, sizeof(record));
	if (read->err)
		return false;
	read->dst += sizeof(record);
	read->left_bytes -= sizeof(record);
	return true;
}

static ssize_t read_directory(struct file *file, uaddr_t dst, size_t size_bytes)
{
	struct directory_read read = {.dst = dst, .left_bytes = size_bytes};
	struct inode *inode = file->inode;
	int err;

	sleeplock_acquire(&file->position_lock);
	err = inode_lock(inode);
	if (!err) {
		err = inode->links ? inode->ops->readdir(inode, &file->offset, emit_record, &read) : 0;
		inode_unlock(inode);
	}
	sleeplock_release(&file->position_lock);
	if (read.dst != dst)
		return (ssize_t)(read.dst - dst);
	return err ? err : read.err;
}

ssize_t xv6_read(struct file *file, uaddr_t dst, size_t size_bytes)
{
	return reads_directory(file) ? read_directory(file, dst, size_bytes)
				     : file_read(file, dst, size_bytes);
}

struct xv6_stat {
	s32 device;
	u32 inode;
	u16 type, links; /* 1: directory, 2: file, 3: device, 4: symbolic link */
	u64 size_bytes;
};
STATIC_ASSERT(sizeof(struct xv6_stat) == 24, "what programs read");

int xv6_give_stat(const struct stat *st, uaddr_t ua)
{
	u32 format = st->st_mode & S_IFMT;
	struct xv6_stat out = {
	    .device = (s32)st->st_dev,
	    .inode = (u32)st->st_ino,
	    .type = format == S_IFDIR   ? 1
		    : format == S_IFCHR ? 3
		    : format == S_IFLNK ? 4
					: 2,
	    .links = (u16)st->st_nlink,
	    .size_bytes = st->st_size,
	};

	return copy_to_user(ua, &out, sizeof(out));
}

/* Reads the position under its lock: a size that was read before another writer's end is too small for it. */
static bool may_write_at_position(struct file *file, size_t size_bytes)
{
	u64 limit = current_proc()->abi_flags & XV6_ELF_LARGE_FILES ? XV6_LARGE_FILE_BYTES : XV6_FILE_BYTES;
	bool may;

	sleeplock_acquire(&file->position_lock);
	may = file->offset <= file->inode->size && size_bytes <= limit && file->offset <= limit - size_bytes;
	sleeplock_release(&file->position_lock);
	return may;
}

ssize_t xv6_write(struct file *file, uaddr_t src, size_t size_bytes)
{
	bool regular = file->type == FILE_INODE && (file->inode->mode & S_IFMT) == S_IFREG;
	ssize_t done;

	if (regular && !may_write_at_position(file, size_bytes))
		return -EFBIG;
	done = file_write(file, src, size_bytes);
	return regular && done >= 0 && (size_t)done < size_bytes ? -EIO : done;
}
