/* SPDX-License-Identifier: MIT */
/* What host tests of the file systems share: a task that may sleep (it never does), a disk in memory, real images. */
#ifndef HOST_HOST_FS_H
#define HOST_HOST_FS_H

#include <host/host_test.h>
#include <kernel/audit.h>
#include <kernel/dev.h>
#include <kernel/ext2.h>
#include <kernel/fs.h>

struct task *host_task(void);
/* Instead of sleeping: what others do meanwhile. False: the task is killed. NULL: sleeping is a panic. */
extern bool (*host_on_sleep)(void);

/* Boots memory and fs, once in a program. */
void host_fs_boot(u64 ram_bytes, u32 nr_harts_);
/* Panics are failures of the test; findings of the auditor, too. files: open ones, to be claimed. */
void host_audit(struct file **files, u32 nr_files);
/* Claims these from now on, one reference CALL each. */
void host_claimed(struct file **files, u32 nr_files);
/* Mappings that are no inode's, as a test makes them: claimed as long as they are mapped by their ops. */
#define HOST_MAPPINGS_MAX 8
extern struct mapping *host_mappings[HOST_MAPPINGS_MAX];
/* Gives back all that the page cache can spare, and returns the pages in use of this kind. */
u64 host_pages_of_kind(enum page_kind kind);

/* ---- disks ---- */

struct host_disk {
	struct block_device device;
	u8 *bytes;
	u64 fail_at;             /* the n-th transfer from now fails; 0: none */
	bool failing;            /* all transfers fail */
	u64 nr_reads, nr_writes; /* transfers that are waited for */
	u64 nr_started;          /* reads that end by themselves */
	bool holds_reads;        /* they end in host_disk_let_go; else before start_read returns */
	u32 nr_held;
	struct block_read *held[2]; /* when there are more: -EBUSY */
};
void host_disk_let_go(struct host_disk *disk);
/* Runs mke2fs -t ext2 -b 4096 with these options ("-O none,filetype -N 64"); contents: a folder for -d, or NULL. */
void host_disk_make(struct host_disk *disk, u32 nr_blocks, const char *mke2fs_options, const char *contents);
void host_disk_free(struct host_disk *disk);
/* Writes the image to a file and runs e2fsck -fn on it; fails the test unless it is clean. */
void host_disk_check(const struct host_disk *disk, const char *what);
/* The same; true if clean. */
bool host_disk_is_clean(const struct host_disk *disk);
/* What debugfs reads: the contents of path, to be freed; -1 in *size_bytes if there is none. */
u8 *host_disk_dump(const struct host_disk *disk, const char *path, long *size_bytes);
/* Unmounts the root, which must be possible: nothing of it is left in memory, and e2fsck is content. */
void host_fs_unmount(const struct host_disk *disk, const char *what);
/* A folder of this test's own below the build folder, emptied at its first use. */
const char *host_folder(void);

#endif
