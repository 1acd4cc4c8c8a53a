/* SPDX-License-Identifier: MIT */
/*
 * ext2: directory blocks. Entries fill a block without gaps; one with inode 0 is free, and the last reaches to the end.
 *
 * DIR-1  every entry is checked before its fields are used (entry_check), so a damaged block ends a search with
 *        -EUCLEAN and cannot lead out of the page or around in a circle.
 * Locks: the directory's inode.
 */
#include "ext2_priv.h"

#define ENTRY_BYTES sizeof(struct ext2_dirent)

static u32 bytes_for_name(u32 name_bytes)
{
	return (u32)(ENTRY_BYTES + name_bytes + 3) & ~3U;
}

static u32 name_length(const struct ext2 *fs, const struct ext2_dirent *entry)
{
	return fs->has_filetype ? entry->name_len : (u32)entry->file_type << 8 | entry->name_len;
}

static bool entry_is_sound(const struct ext2 *fs, const struct ext2_dirent *entry, u32 offset)
{
	u32 left = BLOCK_BYTES - offset;

	if (left < ENTRY_BYTES || entry->rec_len < ENTRY_BYTES || entry->rec_len % 4 || entry->rec_len > left)
		return false;
	return entry->inode <= fs->nr_inodes && ENTRY_BYTES + name_length(fs, entry) <= entry->rec_len &&
	       name_length(fs, entry) <= EXT2_NAME_MAX;
}

static int entry_check(struct inode *dir, const struct ext2_dirent *entry, u32 index, u32 offset)
{
	if (entry_is_sound(ext2_of(dir), entry, offset))
		return 0;
	return ext2_damaged(ext2_of(dir), "directory %u, block %u: bad entry at %u", dir->number, index,
			    offset);
}

static u32 nr_blocks(const struct inode *dir)
{
	return (u32)(dir->size / BLOCK_BYTES);
}
static u8 *dir_page_va(const struct page *page)
{
	return page_to_va(page);
}
static struct ext2_dirent *entry_at(const struct page *page, u32 offset)
{
	return (struct ext2_dirent *)(dir_page_va(page) + offset);
}

/* An entry that was found, in its page, which has an IO reference. */
struct found {
	struct page *page;
	u32 block;
	struct ext2_dirent *entry;
	struct ext2_dirent *before; /* in the same block, or NULL */
};

/* After a change. The block was found with the entry: looking it up may need memory, which is too late to miss now. */
static int mark(struct inode *dir, const struct found *found)
{
	return pagecache_mark_dirty(&dir->mapping, found->page, found->block);
}

typedef bool (*match_fn)(struct inode *dir, const struct ext2_dirent *entry, void *arg);

/* 0 and *found, if the block has an entry that matches; -ENOENT. */
static int search_block(struct inode *dir, u32 index, match_fn match, void *arg, struct found *found)
{
	struct page *page = pagecache_get(&dir->mapping, index, PAGECACHE_READ);
	struct ext2_dirent *before = NULL;
	int err = -ENOENT;

	if (IS_ERR(page))
		return PTR_ERR(page);
	for (u32 offset = 0; offset < BLOCK_BYTES;) {
		struct ext2_dirent *entry = entry_at(page, offset);
		int bad = entry_check(dir, entry, index, offset);

		if (bad) {
			err = bad;
			break;
		}
		if (match(dir, entry, arg)) {
			*found = (struct found){.page = page, .entry = entry, .before = before};
			err = ext2_map(dir, index, &found->block);
			if (err)
				break;
			return 0;
		}
		before = entry;
		offset += entry->rec_len;
	}
	pagecache_release(page);
	return err;
}

static int search(struct inode *dir, match_fn match, void *arg, struct found *found)
{
	int err = -ENOENT;

	for (u32 index = 0; index < nr_blocks(dir) && err == -ENOENT; index++)
		err = search_block(dir, index, match, arg, found);
	return err;
}

struct wanted_name {
	const char *name;
	u32 name_bytes;
};

static bool match_name(struct inode *dir, const struct ext2_dirent *entry, void *arg)
{
	const struct wanted_name *wanted = arg;

	return entry->inode && name_length(ext2_of(dir), entry) == wanted->name_bytes &&
	       memcmp(entry->name, wanted->name, wanted->name_bytes) == 0;
}

int ext2_dir_find(struct inode *dir, const char *name, u32 name_bytes, u32 *number)
{
	struct wanted_name wanted = {name, name_bytes};
	struct found found;
	int err = search(dir, match_name, &wanted, &found);

	if (err)
		return err;
	*number = found.entry->inode;
	pagecache_release(found.page);
	return 0;
}

static bool match_not_dots(struct inode *dir, const struct ext2_dirent *entry, void *arg)
{
	return entry->inode && !name_is_dots(entry->name, name_length(ext2_of(dir), entry));
}

int ext2_dir_is_empty(struct inode *dir)
{
	struct found found;
	int err = search(dir, match_not_dots, NULL, &found);

	if (err == 0)
		pagecache_release(found.page);
	return err == -ENOENT ? 1 : err;
}

/* ---- changes ---- */

static u8 disk_type(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 1;
	case S_IFDIR:
		return 2;
	case S_IFCHR:
		return 3;
	case S_IFBLK:
		return 4;
	case S_IFIFO:
		return 5;
	case S_IFLNK:
		return 7;
	default:
		return 0;
	}
}

static void fill_entry(const struct ext2 *fs, struct ext2_dirent *entry, u32 rec_len, const char *name,
		       u32 name_bytes, u32 number, u32 mode)
{
	entry->inode = number;
	entry->rec_len = (u16)rec_len;
	entry->name_len = (u8)name_bytes;
	entry->file_type = fs->has_filetype ? disk_type(mode) : 0;
	memcpy(entry->name, name, name_bytes);
	memset(entry->name + name_bytes, 0, bytes_for_name(name_bytes) - ENTRY_BYTES - name_bytes);
}

/* Bytes at the end of the entry's record that it does not need. */
static u32 spare_bytes(const struct ext2 *fs, const struct ext2_dirent *entry)
{
	u32 used = entry->inode ? bytes_for_name(name_length(fs, entry)) : 0;

	return entry->rec_len > used ? entry->rec_len - used : 0;
}

static bool match_room(struct inode *dir, const struct ext2_dirent *entry, void *arg)
{
	return spare_bytes(ext2_of(dir), entry) >= *(const u32 *)arg;
}

/* A new, empty last block of dir: one free entry. Page with an IO reference. */
static int grow(struct inode *dir, struct found *found)
{
	u32 index = nr_blocks(dir);
	struct page *page;
	int err = ext2_trim_finish(dir);

	if (err)
		return err;
	page = pagecache_get(&dir->mapping, index, PAGECACHE_OVERWRITE);
	if (IS_ERR(page))
		return PTR_ERR(page);
	*found = (struct found){.page = page, .entry = entry_at(page, 0)};
	err = ext2_map_alloc(dir, index, &found->block);
	if (!err) {
		memset(page_to_va(page), 0, PAGE_SIZE);
		found->entry->rec_len = BLOCK_BYTES;
		err = mark(dir, found);
	}
	if (err) {
		pagecache_release(page);
		ext2_trim(dir);
		return err;
	}
	dir->size += BLOCK_BYTES;
	ext2_inode_changed(dir);
	return 0;
}

int ext2_dir_add(struct inode *dir, const char *name, u32 name_bytes, u32 number, u32 mode)
{
	struct ext2 *fs = ext2_of(dir);
	u32 needed = bytes_for_name(name_bytes), spare;
	struct found found = {0};
	int err = search(dir, match_room, &needed, &found);

	if (err == -ENOENT)
		err = grow(dir, &found);
	if (err)
		return err;
	spare = spare_bytes(fs, found.entry);
	if (found.entry->inode) {
		struct ext2_dirent *behind;

		found.entry->rec_len = (u16)(found.entry->rec_len - spare);
		behind = (struct ext2_dirent *)((u8 *)found.entry + found.entry->rec_len);
		fill_entry(fs, behind, spare, name, name_bytes, number, mode);
	} else {
		fill_entry(fs, found.entry, found.entry->rec_len, name, name_bytes, number, mode);
	}
	err = mark(dir, &found);
	pagecache_release(found.page);
	dir->ext2.flags &= ~EXT2_INDEX_FLAG;
	ext2_inode_changed(dir);
	return err;
}

int ext2_dir_remove(struct inode *dir, const char *name, u32 name_bytes, u32 number)
{
	struct wanted_name wanted = {name, name_bytes};
	struct found found;
	int err = search(dir, match_name, &wanted, &found);

	if (err)
		return err;
	if (found.entry->inode != number) {
		pagecache_release(found.page);
		return -ENOENT;
	}
	if (found.before)
		found.before->rec_len = (u16)(found.before->rec_len + found.entry->rec_len);
	else
		found.entry->inode = 0;
	err = mark(dir, &found);
	pagecache_release(found.page);
	dir->ext2.flags &= ~EXT2_INDEX_FLAG;
	ext2_inode_changed(dir);
	return err;
}

int ext2_dir_begin(struct inode *dir, u32 parent_number)
{
	struct ext2 *fs = ext2_of(dir);
	u32 self_bytes = bytes_for_name(1);
	struct found found;
	int err = grow(dir, &found);

	if (err)
		return err;
	fill_entry(fs, found.entry, self_bytes, ".", 1, dir->number, S_IFDIR);
	fill_entry(fs, entry_at(found.page, self_bytes), BLOCK_BYTES - self_bytes, "..", 2, parent_number,
		   S_IFDIR);
	err = mark(dir, &found);
	pagecache_release(found.page);
	return err;
}

/* ---- reading ---- */

static u8 emit_type(const struct ext2 *fs, const struct ext2_dirent *entry)
{
	static const u8 types[] = {DT_UNKNOWN, DT_REG,  DT_DIR,     DT_CHR,
				   DT_UNKNOWN, DT_FIFO, DT_UNKNOWN, DT_LNK};

	return fs->has_filetype && entry->file_type < ARRAY_SIZE(types) ? types[entry->file_type]
									: DT_UNKNOWN;
}

/* 0, 1 when emit refused, or errno. The position is a byte offset; entries that begin before it are passed over. */
static int read_block(struct inode *dir, u64 *position, dir_emit_fn emit, void *arg)
{
	struct ext2 *fs = ext2_of(dir);
	u32 index = (u32)(*position / BLOCK_BYTES), first = (u32)(*position % BLOCK_BYTES);
	struct page *page = pagecache_get(&dir->mapping, index, PAGECACHE_READ);
	int err = 0;

	if (IS_ERR(page))
		return PTR_ERR(page);
	for (u32 offset = 0; offset < BLOCK_BYTES && !err;) {
		const struct ext2_dirent *entry = entry_at(page, offset);

		err = entry_check(dir, entry, index, offset);
		if (err)
			break;
		if (offset >= first) {
			u64 before = *position;

			*position = (u64)index * BLOCK_BYTES + offset + entry->rec_len;
			if (entry->inode && !emit(arg, entry->name, name_length(fs, entry), entry->inode,
						  emit_type(fs, entry))) {
				*position = before;
				err = 1;
			}
		}
		offset += entry->rec_len;
	}
	pagecache_release(page);
	/* From a position between entries in the last record. */
	if (!err && *position < (u64)(index + 1) * BLOCK_BYTES)
		*position = (u64)(index + 1) * BLOCK_BYTES;
	return err;
}

int ext2_dir_read(struct inode *dir, u64 *position, dir_emit_fn emit, void *arg)
{
	int err = 0;

	while (*position < dir->size && !err)
		err = read_block(dir, position, emit, arg);
	return err < 0 ? err : 0;
}
