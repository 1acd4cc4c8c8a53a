/* SPDX-License-Identifier: MIT */
/*
 * ext2: shared by the files ext2_*.c.
 *
 * Sources for the format: the ext2 documentation and headers of e2fsprogs (man ext4(5), libext2fs). All numbers on
 * disk are little endian, as is this machine. Only 4 KiB blocks, so a block is a page and a block's number is its
 * page index in the mapping of the device.
 *
 * What goes where: superblock, group descriptors, bitmaps, inode table and indirect blocks through fs->blocks (the
 * mapping of the device, inode 0); contents of files and directories through their inode's mapping. A block changes
 * sides only by being freed, and a freed block's page is dropped from fs->blocks first.
 *
 * EXT2-1  a block is in use iff its bit is set; group and superblock counts agree with the bits under alloc_lock.
 * EXT2-2  whoever fails leaves both sides as they were: a block is taken from its owner after its bit is cleared, and
 *         given to one before its contents can be seen.
 * EXT2-3  no number from the disk is used before it was found to be in its range.
 *
 * Locks: inode->lock, then alloc_lock (sleep lock: bitmaps, group descriptors, counts), then super_lock (the copy of the
 * superblock). Reading a block map takes none of them: see ext2_map.
 */
#ifndef KERNEL_FS_EXT2_PRIV_H
#define KERNEL_FS_EXT2_PRIV_H

#include <kernel/ext2.h>
#include <kernel/fs_driver.h>

#define EXT2_MAGIC 0xEF53
#define EXT2_ROOT_INODE 2
#define EXT2_LINK_MAX 32000
#define EXT2_NR_DIRECT 12
#define EXT2_PER_BLOCK 1024U /* block numbers in an indirect block */
#define EXT2_SECTORS (BLOCK_BYTES / 512)
#define EXT2_NAME_MAX 255
/* 12 direct blocks, 1024 behind one, two and three levels. */
#define EXT2_MAX_BLOCKS (12UL + 1024 + 1024UL * 1024 + 1024UL * 1024 * 1024)
#define EXT2_SMALL_FILE_MAX 0x7fffffffUL /* without the large_file feature */

struct ext2_disk_super { /* at byte 1024 of the device */
	u32 inodes_count;
	u32 blocks_count;
	u32 r_blocks_count;
	u32 free_blocks_count;
	u32 free_inodes_count;
	u32 first_data_block;
	u32 log_block_size; /* 1024 << this */
	u32 log_cluster_size;
	u32 blocks_per_group;
	u32 clusters_per_group;
	u32 inodes_per_group;
	u32 mtime;
	u32 wtime;
	u16 mnt_count;
	u16 max_mnt_count;
	u16 magic;
	u16 state;
	u16 errors;
	u16 minor_rev_level;
	u32 lastcheck;
	u32 checkinterval;
	u32 creator_os;
	u32 rev_level;
	u16 def_resuid;
	u16 def_resgid;
	/* revision 1 */
	u32 first_ino;
	u16 inode_size;
	u16 block_group_nr;
	u32 feature_compat;
	u32 feature_incompat;
	u32 feature_ro_compat;
};
STATIC_ASSERT(offsetof(struct ext2_disk_super, magic) == 56, "superblock");
STATIC_ASSERT(offsetof(struct ext2_disk_super, feature_ro_compat) == 100, "superblock");
#define EXT2_SUPER_OFFSET 1024
#define EXT2_STATE_VALID 1
#define EXT2_STATE_ERROR 2

#define EXT2_COMPAT_JOURNAL 0x4
#define EXT2_INCOMPAT_FILETYPE 0x2
#define EXT2_RO_SPARSE_SUPER 0x1
#define EXT2_RO_LARGE_FILE 0x2

struct ext2_disk_group {
	u32 block_bitmap;
	u32 inode_bitmap;
	u32 inode_table;
	u16 free_blocks_count;
	u16 free_inodes_count;
	u16 used_dirs_count;
	u16 flags;
	u32 reserved[3];
};
STATIC_ASSERT(sizeof(struct ext2_disk_group) == 32, "group descriptor");
#define EXT2_GROUPS_PER_BLOCK (BLOCK_BYTES / sizeof(struct ext2_disk_group))

struct ext2_disk_inode {
	u16 mode;
	u16 uid;
	u32 size;
	u32 atime, ctime, mtime, dtime;
	u16 gid;
	u16 links_count;
	u32 blocks; /* 512-byte units */
	u32 flags;
	u32 osd1;
	u32 block[15];
	u32 generation;
	u32 file_acl;
	u32 size_high; /* directories: dir_acl */
	u32 faddr;
	u8 osd2[12];
};
STATIC_ASSERT(sizeof(struct ext2_disk_inode) == 128, "inode");
#define EXT2_INDEX_FLAG 0x1000 /* a hashed directory; we change it as a linear one */

struct ext2_dirent {
	u32 inode; /* 0: unused */
	u16 rec_len;
	u8 name_len;
	u8 file_type; /* without the filetype feature: high byte of the name's length */
	char name[];
};
STATIC_ASSERT(sizeof(struct ext2_dirent) == 8, "directory entry");

struct ext2 {
	struct superblock sb;
	struct block_device *device;
	struct mapping blocks;   /* of the device */
	struct page *super_page; /* held by an OWNER reference while mounted */
	u32 nr_blocks, nr_inodes, nr_groups;
	u32 blocks_per_group, inodes_per_group;
	u32 inode_bytes;
	u32 first_inode; /* not reserved */
	u32 gdt_blocks;
	bool has_filetype, has_large_file;
	u32 base_time; /* seconds; the machine has no clock of its own */
	struct sleeplock alloc_lock;
	u32 nr_free_blocks, nr_free_inodes; /* alloc_lock */
	/* alloc_lock: pages of the group that gave or took a block last, held by OWNER references. A long write stays in
	 * one group, so it looks for them once. Held from mount on, so that their number never changes. */
	u32 held_group;
	struct page *held_desc, *held_bitmap;
	struct sleeplock super_lock;
	bool clean;     /* super_lock: the disk says so */
	u64 nr_changes; /* atomic */
	bool has_errors;
	u32 nr_messages;
};

static inline struct ext2 *ext2_of(const struct inode *inode)
{
	return inode->sb->private;
}

/* ---- ext2_super.c ---- */

/* Says that the disk is damaged, and remembers it. Always -EUCLEAN. */
int ext2_damaged(struct ext2 *fs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Before the first change after a sync: the disk must say that it is not clean. */
void ext2_touch(struct ext2 *fs);
u32 ext2_time(const struct ext2 *fs); /* seconds */
int ext2_write_super(struct ext2 *fs, bool clean);
int ext2_fsync(struct inode *inode);

/* ---- ext2_balloc.c ---- */

/* A page of the device's mapping that must be there: IO reference, or ERR_PTR. */
struct page *ext2_block_page(struct ext2 *fs, u32 block);
/* The descriptor of a group within a page that the caller must release; or ERR_PTR in *page. */
struct ext2_disk_group *ext2_group(struct ext2 *fs, u32 group, struct page **page);
/* In the range where files may have blocks. */
bool ext2_block_valid(const struct ext2 *fs, u32 block);
/* A block near goal in *block. -ENOSPC, -ENOMEM, -EIO, -EUCLEAN. */
int ext2_block_alloc(struct ext2 *fs, u32 goal, u32 *block);
/* Frees a run; on an error none of the group where it happened. metadata: their pages are dropped from fs->blocks. */
int ext2_blocks_free(struct ext2 *fs, u32 block, u32 nr, bool metadata);
int ext2_hold_group(struct ext2 *fs, u32 group);
void ext2_release_group(struct ext2 *fs);                      /* the held pages; at unmount */
s32 bitmap_find_zero(const u64 *words, u32 from, u32 nr_bits); /* -1: none */

/* ---- ext2_ialloc.c ---- */

/* A free inode number near parent, marked used, and its in-core inode (counted, not valid). */
int ext2_inode_alloc(struct inode *parent, bool directory, struct inode **result);
int ext2_inode_release(struct ext2 *fs, u32 number, bool directory);

/* ---- ext2_inode.c ---- */

int ext2_read_inode(struct inode *inode);
int ext2_write_inode(struct inode *inode);
int ext2_evict(struct inode *inode);
/* Fields of an inode that did not exist before. Locked. */
void ext2_inode_begin(struct inode *inode, u32 mode, u32 device);
void ext2_inode_changed(struct inode *inode); /* locked; mtime, ctime, dirty */

/* ---- ext2_map.c ---- */

/* The block of page `index`, 0 for a hole. No lock: entries are single words that are checked, and a page that was read
 * from a block that truncation took away meanwhile lies beyond the size. */
int ext2_map(struct inode *inode, u32 index, u32 *result);
/* The same, allocating what is missing. Inode locked. */
int ext2_map_alloc(struct inode *inode, u32 index, u32 *block);
/* Frees all blocks from page `first` on. On an error the rest still belongs to the inode. Locked. */
int ext2_map_truncate(struct inode *inode, u64 first);
/*
 * Frees what lies beyond the size: pages now, blocks now or, if that fails, later. Whoever makes the file longer, or stores
 * the inode, finishes it first, or old contents would come back. Locked.
 */
void ext2_trim(struct inode *inode);
int ext2_trim_finish(struct inode *inode);

/* ---- ext2_file.c, ext2_dir.c ---- */

extern const struct mapping_ops ext2_mapping_ops;
extern const struct inode_ops ext2_file_ops, ext2_dir_ops, ext2_special_ops, ext2_link_ops;

int ext2_dir_add(struct inode *dir, const char *name, u32 name_bytes, u32 number, u32 mode);
/* Removes the entry of `name`, which must be number's. */
int ext2_dir_remove(struct inode *dir, const char *name, u32 name_bytes, u32 number);
int ext2_dir_find(struct inode *dir, const char *name, u32 name_bytes, u32 *number);
/* The first block of a new directory. */
int ext2_dir_begin(struct inode *dir, u32 parent_number);
/* 1 or 0, or errno. */
int ext2_dir_is_empty(struct inode *dir);
int ext2_dir_read(struct inode *dir, u64 *position, dir_emit_fn emit, void *arg);

/* ---- ext2_symlink.c ---- */

/* The target of a link that is being made and has no name yet. 0, -ENOSPC, -ENOMEM, -EIO. */
int ext2_link_begin(struct inode *inode, const char *target, u32 length_bytes);

#endif
