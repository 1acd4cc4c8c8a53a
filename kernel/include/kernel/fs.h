/* SPDX-License-Identifier: MIT */
/*
 * fs: inodes, path walk, open files. File systems are ext2 (root), procfs (/proc) and devfs (/dev).
 *
 * Problem: a program knows names and descriptors, a disk knows numbers and blocks. Idea: three steps, each counted by the one before:
 *
 *     descriptor 3 -> struct file (position, flags) -> struct inode (size, type, operations) -> its mapping (pages by index)
 *
 * read(3, ...) thus looks up the file of the process, takes its position lock, locks the inode, and copies from cached pages; only a page that
 * is not cached reaches the file system. What is the same for all file systems is here; what differs is in inode_ops.
 *
 * An in-core inode is found through (superblock, number) in the icache and counted. inode->lock (a sleep
 * lock) guards size, links and contents' block map. Separate on purpose: getting an inode (count) and
 * locking it, so that a path walk can hold one inode while it waits for another without deadlock.
 *
 * References. An inode, an open file and a pipe are counted, and each reference has a kind and a holder, which its release
 * must name: CALL (the pid) while a call has it in its hands, which is what every function here returns; then FILE, CWD,
 * MOUNT for an inode, FD, VMA for an open file, FILE for a pipe. inode_pass and file_pass turn the former into the latter.
 *
 * Lock order between inodes: parent before child; two directories by ascending number (rename, link).
 */
#ifndef KERNEL_FS_H
#define KERNEL_FS_H

#include <kernel/addrspace.h>
#include <kernel/claims.h>
#include <kernel/dev.h>
#include <kernel/pagecache.h>
#include <kernel/sleeplock.h>
#include <uapi/fs.h>

struct inode;
struct superblock;
struct file;
struct fs_type; /* fs_driver.h */

/* A directory's entries are handed to emit one by one; emit returns false to stop. */
typedef bool (*dir_emit_fn)(void *arg, const char *name, u32 name_bytes, u32 inode_number, u8 type);

/* What a new inode is to be. */
struct inode_spec {
	u32 mode;           /* S_IF* | permissions */
	u32 device;         /* of S_IFCHR */
	const char *target; /* of S_IFLNK */
};

struct inode_ops {
	/* All are called with inode->lock held unless stated; NULL means -EINVAL / -ENOTDIR. */
	/* A counted, unlocked inode in *result; -ENOENT. */
	int (*lookup)(struct inode *dir, const char *name, u32 name_bytes, struct inode **result);
	/*
	 * A new inode, whole before its name appears: whoever finds the name finds all of it. After an error neither is
	 * there. dir is locked. Result counted, unlocked. -EEXIST, -ENOSPC, -ENOMEM.
	 */
	int (*create)(struct inode *dir, const char *name, u32 name_bytes, const struct inode_spec *spec,
		      struct inode **result);
	/* Another name for target, which is counted and locked by the caller. */
	int (*link)(struct inode *dir, const char *name, u32 name_bytes, struct inode *target);
	/* Removes a name. Directories must be empty. target is counted and locked by the caller. */
	int (*unlink)(struct inode *dir, const char *name, u32 name_bytes, struct inode *target);
	/* Entries from *position on. *position is beyond an entry when it is emitted, and back before it if emit refuses. */
	int (*readdir)(struct inode *dir, u64 *position, dir_emit_fn emit, void *arg);
	/* Bytes to / from user memory (user = true) or kernel memory. Return bytes or errno. Short at EOF. */
	/* ahead: of a reader who may go on, or NULL. */
	ssize_t (*read)(struct inode *inode, u64 offset, u64 buffer, size_t size_bytes, bool user,
			struct readahead *ahead);
	ssize_t (*write)(struct inode *inode, u64 offset, u64 buffer, size_t size_bytes, bool user);
	int (*truncate)(struct inode *inode, u64 size_bytes);
	int (*fsync)(struct inode *inode);
	/* For shared mappings. Blocks for the holes in [offset, offset + size). NULL: the file cannot be mapped. */
	int (*fill_holes)(struct inode *inode, u64 offset, u64 size_bytes);
	/* A page of the file was written through a mapping. Not locked, and takes no inode's lock: see file_map.c. */
	int (*mark_dirty)(struct inode *inode, u32 index, struct page *page);
	/*
	 * The last in-core reference of an inode without links goes: free it on disk. Locked. On an error (-ENOMEM)
	 * the inode stays in core and the next sync tries again. May be NULL.
	 */
	int (*evict)(struct inode *inode);
	/* Of a symbolic link: its target, not terminated; the length, or -ENAMETOOLONG. */
	int (*readlink)(struct inode *inode, char *target, u32 room_bytes);
	/* Called at open / close of a file on this inode (procfs builds its text at open). May be NULL. */
	int (*open)(struct inode *inode, struct file *file);
	void (*release)(struct inode *inode, struct file *file);
	/* Of an open file, what its `private` holds. May be NULL. */
	void (*claims)(struct file *file, struct claims *claims);
	/* When set, used instead of read/write: has the file (position, private text). Not locked. */
	ssize_t (*file_read)(struct file *file, uaddr_t dst, size_t size_bytes);
	ssize_t (*file_write)(struct file *file, uaddr_t src, size_t size_bytes);
};

struct inode { /* slab cache "inode" */
	struct superblock *sb;
	u32 number;
	u32 count;               /* icache */
	u16 nr_pins;             /* icache: write-back looks at it; it may not leave before */
	bool evicting;           /* icache: about to leave; whoever wants it waits */
	struct list hash_link;   /* icache */
	struct list unused_link; /* icache: count is 0, kept for the next user */
	struct sleeplock lock;
	bool valid; /* read from disk; lock */
	bool dirty; /* lock: differs from the disk's; sb->write_inode stores it */
	u16 mode;   /* S_IF* | permissions */
	u16 links;
	u32 device; /* major << 8 | minor */
	u64 size;
	u32 mtime, ctime, atime;
	const struct inode_ops *ops;
	struct mapping mapping;
	struct superblock *mounted; /* a file system's root stands here */
	union {
		struct {
			u32 blocks[15]; /* ext2's i_block */
			u32 nr_sectors; /* i_blocks: 512-byte units */
			u32 flags;
			u32 file_acl;    /* block with extended attributes, or 0 */
			u32 goal;        /* where the next block should come from */
			bool is_new;     /* the disk still has a former inode of this number */
			bool needs_trim; /* blocks beyond the size are left: freeing them failed */
		} ext2;
		const void *private;
		u64 words[10];
	};
};

struct superblock {
	const char *type;
	u32 device_id; /* st_dev: 1 is the root's */
	struct inode *root;
	struct inode *covered; /* the directory it is mounted on */
	/* Reads inode->number into inode (locked); 0 or errno. */
	int (*read_inode)(struct inode *inode);
	/* Stores a changed inode (locked) and clears inode->dirty; 0 or errno. NULL: never changes. */
	int (*write_inode)(struct inode *inode);
	int (*sync)(struct superblock *sb);
	void (*statfs)(struct superblock *sb, struct statfs *out);
	bool keeps_inodes; /* unused inodes stay in core, with their cached pages */
	struct list link;  /* of mounted ones */
	void *private;
};

void fs_init(void);                                                         /* caches, icache */
int fs_mount_root(const struct fs_type *type, struct block_device *device); /* 0 or errno with a message */
int fs_mount(struct superblock *sb, const char *path); /* 0; or an error, and sb's root is given back */
struct inode *fs_root(void);                           /* counted: CALL */
int fs_sync(void);
/* Undoes fs_mount_root after everybody closed everything: 0 or -EBUSY. Writes all. */
int fs_unmount_root(void);
/*
 * For the machine's end: unmounts every file system, whoever still counts an inode of it. What stays in core, stays
 * because somebody lost it, and is never looked at again but by the auditor.
 */
void fs_unmount_all(void);
/* Writes everything back and gives up every page and inode that nobody uses; pages freed. */
u32 fs_drop_caches(void);

/* ---- inodes ---- */
struct inode *inode_get(struct superblock *sb, u32 number,
			int *err);            /* counted (CALL), unlocked, maybe not valid */
struct inode *inode_dup(struct inode *inode); /* one reference CALL more */
void inode_put(struct inode *inode);          /* returns a reference CALL; may free on disk; sleeps */
/* The same of other references. */
void inode_get_ref(struct inode *inode, enum ref_kind ref, struct holder holder);
void inode_put_ref(struct inode *inode, enum ref_kind ref, struct holder holder);
/* The caller's reference CALL becomes this one. */
void inode_pass(struct inode *inode, enum ref_kind ref, struct holder holder);
/* Of whom one reference (ref, holder) is found. */
void inode_claim(struct claims *claims, struct inode *inode, enum ref_kind ref, struct holder holder);
/* What a process, or a superblock, holds an inode by. */
#define CWD_HOLDER(pid) HOLDER(pid, 0)
#define ROOT_HOLDER HOLDER(0, 0)
#define COVERED_HOLDER HOLDER(0, 1)
int inode_lock(struct inode *inode); /* reads it in if needed; on error it is not locked */
void inode_unlock(struct inode *inode);
void inode_stat(struct inode *inode, struct stat *st); /* locked */
/* NULL, or which of icache's invariants is broken (static text buffer). World stopped. */
const char *icache_check(void);
/* The generic read / write over the page cache, for inode_ops (file systems with a mapping). Locked. */
ssize_t inode_read_cached(struct inode *inode, u64 offset, u64 buffer, size_t size_bytes, bool user,
			  struct readahead *ahead);

/* ---- paths. cwd is where a relative path begins. All may sleep. Paths are kernel strings. -ELOOP: too many links. ---- */
/* What the path names, through symbolic links. */
int path_lookup(struct inode *cwd, const char *path, struct inode **result);
int path_create(struct inode *cwd, const char *path, const struct inode_spec *spec, bool exclusive,
		struct inode **result);
int path_link(struct inode *cwd, const char *old_path, const char *new_path);
/* What open means by a path: made if flags say so, and through symbolic links unless they forbid it (-ELOOP). */
int path_open(struct inode *cwd, const char *path, u32 flags, u32 mode, struct inode **result);
int path_symlink(struct inode *cwd, const char *target, const char *path);
int path_unlink(struct inode *cwd, const char *path, bool directory);
int path_statfs(struct inode *cwd, const char *path, struct statfs *out);

/* ---- open files (slab cache "file") ---- */
enum file_type { FILE_INODE, FILE_DEVICE, FILE_PIPE_READ, FILE_PIPE_WRITE };

struct file {
	u32 count; /* `file` */
	enum file_type type;
	u32 flags;              /* O_* */
	u64 offset;             /* position lock */
	struct readahead ahead; /* position lock */
	struct sleeplock position_lock;
	struct inode *inode;
	struct pipe *pipe;
	const struct char_device *device;
	void *private; /* of ops->open */
	u64 private_bytes;
};

int file_open(struct inode *cwd, const char *path, u32 flags, u32 mode, struct file **result);
struct file *file_dup(struct file *file); /* one reference CALL more */
void file_close(struct file *file); /* returns a reference CALL; the last one gives up what the file has */
/* As those of inodes. */
void file_get_ref(struct file *file, enum ref_kind ref, struct holder holder);
void file_put_ref(struct file *file, enum ref_kind ref, struct holder holder);
void file_pass(struct file *file, enum ref_kind ref, struct holder holder);
ssize_t file_read(struct file *file, uaddr_t dst, size_t size_bytes);
ssize_t file_write(struct file *file, uaddr_t src, size_t size_bytes);
s64 file_seek(struct file *file, s64 offset, u32 whence);
int file_stat(struct file *file, struct stat *st);
/* Fills dst with whole struct dirent64-like records (uapi/fs.h); bytes, 0 at the end. */
ssize_t file_getdents(struct file *file, uaddr_t dst, size_t size_bytes);
int file_sync(struct file *file);
/* Whether the file can be mapped like this; offset in bytes. 0, -EACCES, -ENODEV, -EINVAL. */
int file_may_map(const struct file *file, u64 size_bytes, u32 vma_flags, u64 offset);
/* Maps it, as file_may_map allowed, at ua (free, page aligned). ua, or -ENOMEM, -EIO, -ENOSPC. */
s64 file_map(struct mm *mm, struct file *file, uaddr_t ua, u64 size_bytes, u32 vma_flags, u64 offset);
int file_truncate(struct file *file, u64 size_bytes);
int pipe_create(struct file **read_end, struct file **write_end); /* 0, -ENOMEM */

void fs_claims(struct claims *claims); /* mounted file systems, and inodes that are cached */
/* One reference (ref, holder) of a descriptor or a VMA. */
void file_claim(struct claims *claims, struct file *file, enum ref_kind ref, struct holder holder);
void pipe_claims(struct claims *claims); /* by the list of all: only while a task may have one in its hands */

/* ---- in-memory file systems (procfs, devfs): a static tree ---- */
struct static_node {
	const char *name;
	u16 mode;
	u32 number; /* inode number, unique in its file system, root is 1 */
	u32 parent;
	const struct inode_ops *ops;
	u32 device;
	const void *private;
};
struct static_fs {
	struct superblock sb;
	const struct static_node *nodes;
	u32 nr_nodes;
};
/*
 * Sets up fs->sb and its root inode (node number 1). Inodes get mode, device, ops and private from their node; a
 * directory whose node has no ops uses static_dir_ops. Returns &fs->sb, or NULL: no memory.
 */
struct superblock *static_fs_init(struct static_fs *fs, const char *type, const struct static_node *nodes,
				  u32 nr_nodes);
extern const struct inode_ops static_dir_ops;
struct superblock *devfs_create(void);

#endif
