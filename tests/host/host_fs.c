/* SPDX-License-Identifier: MIT */
/* See include/host/host_fs.h. */
#include <host/host_fs.h>
#include <kernel/audit.h>
#include <kernel/errno.h>
#include <kernel/pagecache.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* kernel/cache/flusher.c is a thread, so it is not part of these tests. */
void writeback_wake(void);
void writeback_wake(void) {}
void writeback_wait(void) {}

static const struct char_device *device_table[DEV_MAJOR_NR];
const struct char_device *dev_lookup(u16 major)
{
	return major < DEV_MAJOR_NR ? device_table[major] : NULL;
}
void dev_register(u16 major, const struct char_device *device)
{
	device_table[major] = device;
}

static struct file **claimed_files;
static u32 nr_claimed_files;

struct mapping *host_mappings[HOST_MAPPINGS_MAX];

static void claim_files(struct claims *claims)
{
	for (u32 i = 0; i < HOST_MAPPINGS_MAX; i++)
		if (host_mappings[i] && host_mappings[i]->ops)
			mapping_claim(claims, host_mappings[i]);
	for (u32 i = 0; i < nr_claimed_files; i++)
		if (claimed_files[i])
			file_claim(claims, claimed_files[i], REF_CALL, HOLDER(trace_current_pid(), 0));
}

void host_fs_boot(u64 ram_bytes, u32 nr_harts_)
{
	host_boot(ram_bytes, nr_harts_);
	harts[0].current = host_task();
	pagecache_init();
	fs_init();
	audit_register("fs", CLAIMS_OF_PROGRAMS, fs_claims);
	audit_register("pipe", CLAIMS_OF_PROGRAMS, pipe_claims);
	audit_register_check("icache", icache_check);
	audit_register("files", CLAIMS_OF_PROGRAMS, claim_files);
}

void host_claimed(struct file **files, u32 nr_files)
{
	claimed_files = files;
	nr_claimed_files = nr_files;
}

void host_audit(struct file **files, u32 nr_files)
{
	static char report[8192];
	struct text text = {report, sizeof(report), 0};
	struct audit_result *result;

	host_claimed(files, nr_files);
	audit_lock();
	result = audit_run_locked(AUDIT_POISON);
	if (result->nr_findings || result->identity_difference) {
		audit_format(result, &text);
		fail_msg("audit (HOST_SEED=%lu):\n%s", (unsigned long)host_seed(), report);
	}
	audit_unlock();
	host_claimed(NULL, 0);
}

u64 host_pages_of_kind(enum page_kind kind)
{
	struct page_totals totals;

	upcall_shrink_inodes();
	pagecache_shrink(~0U);
	kmem_cache_shrink_all();
	page_totals(&totals);
	return totals.nr_by_kind[kind];
}

void host_fs_unmount(const struct host_disk *disk, const char *what)
{
	assert_int_equal(fs_unmount_root(), 0);
	host_audit(NULL, 0);
	assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
	assert_int_equal(host_pages_of_kind(PK_SLAB), 0);
	host_disk_check(disk, what);
}

/* ---- disks ---- */

static int disk_transfer(struct block_device *device, u64 block, u32 nr, void *kernel_va, bool write)
{
	struct host_disk *disk = device->private;
	u8 *at = disk->bytes + block * BLOCK_BYTES;

	if (this_hart()->irq_off_depth)
		panic("a transfer with a spinlock held");
	if (block >= device->nr_blocks || nr > device->nr_blocks - block)
		panic("a transfer of block %lu beyond the end of the disk", (unsigned long)block);
	if (write)
		disk->nr_writes++;
	else
		disk->nr_reads++;
	if (disk->failing || (disk->fail_at && --disk->fail_at == 0))
		return -EIO;
	memcpy(write ? at : kernel_va, write ? kernel_va : at, nr * BLOCK_BYTES);
	return 0;
}

static void read_end(struct host_disk *disk, struct block_read *read)
{
	bool fails = disk->failing || (disk->fail_at && --disk->fail_at == 0);

	for (u32 i = 0; i < read->nr && !fails; i++)
		memcpy(page_to_va(read->pages[i]), disk->bytes + (read->block + i) * BLOCK_BYTES,
		       BLOCK_BYTES);
	read->done(read, fails ? -EIO : 0);
}

static int disk_start_read(struct block_device *device, struct block_read *read)
{
	struct host_disk *disk = device->private;

	if (this_hart()->irq_off_depth)
		panic("a transfer with a spinlock held");
	if (!read->nr || read->block >= device->nr_blocks || read->nr > device->nr_blocks - read->block)
		panic("a read of %u blocks from %lu on", read->nr, (unsigned long)read->block);
	if (disk->holds_reads && disk->nr_held == ARRAY_SIZE(disk->held))
		return -EBUSY;
	disk->nr_started++;
	if (disk->holds_reads)
		disk->held[disk->nr_held++] = read;
	else
		read_end(disk, read);
	return 0;
}

void host_disk_let_go(struct host_disk *disk)
{
	while (disk->nr_held)
		read_end(disk, disk->held[--disk->nr_held]);
}

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static const char *temporary_folder(void)
{
	return getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir;
}

const char *host_folder(void)
{
	static char folder[64];
	char command[256];

	if (folder[0])
		return folder;
	/* The tools are in sbin, which not every user's PATH has. */
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
	setenv("MKE2FS_CONFIG", "/dev/null", 1);
	snprintf(folder, sizeof(folder), "%.32s/pagetrail-host-%d", temporary_folder(), (int)getpid());
	snprintf(command, sizeof(command), "rm -rf %s && mkdir -p %s", folder, folder);
	run(command);
	return folder;
}

static void remove_folder(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", host_folder());
	run(command);
}

static void read_image(struct host_disk *disk, const char *path)
{
	FILE *file = fopen(path, "rb");

	/* It may be shorter: other block sizes are asked for, to be refused. */
	if (!file || fread(disk->bytes, 1, disk->device.nr_blocks * BLOCK_BYTES, file) == 0)
		fail_msg("cannot read %s", path);
	fclose(file);
}

static void write_image(const struct host_disk *disk, char *path, size_t path_bytes)
{
	FILE *file;

	snprintf(path, path_bytes, "%s/disk.img", host_folder());
	file = fopen(path, "wb");
	if (!file || fwrite(disk->bytes, BLOCK_BYTES, disk->device.nr_blocks, file) != disk->device.nr_blocks)
		fail_msg("cannot write %s", path);
	fclose(file);
}

void host_disk_make(struct host_disk *disk, u32 nr_blocks, const char *mke2fs_options, const char *contents)
{
	static bool registered;
	char path[128], command[512];

	if (!registered)
		atexit(remove_folder);
	registered = true;
	memset(disk, 0, sizeof(*disk));
	disk->bytes = calloc(nr_blocks, BLOCK_BYTES);
	disk->device = (struct block_device){
	    .name = "host disk",
	    .nr_blocks = nr_blocks,
	    .transfer = disk_transfer,
	    .start_read = disk_start_read,
	    .private = disk,
	};
	snprintf(path, sizeof(path), "%s/new.img", host_folder());
	snprintf(command, sizeof(command),
		 "mke2fs -q -F -t ext2 -b 4096 -m 0 %s %s%s %s %u >%s/mke2fs.log 2>&1", mke2fs_options,
		 contents ? "-d " : "", contents ? contents : "", path, nr_blocks, host_folder());
	run(command);
	read_image(disk, path);
}

void host_disk_free(struct host_disk *disk)
{
	free(disk->bytes);
	disk->bytes = NULL;
}

static int e2fsck(const struct host_disk *disk)
{
	char path[128], command[512];

	write_image(disk, path, sizeof(path));
	snprintf(command, sizeof(command), "e2fsck -fn %s >%s/e2fsck.log 2>&1", path, host_folder());
	return system(command);
}

bool host_disk_is_clean(const struct host_disk *disk)
{
	return e2fsck(disk) == 0;
}

void host_disk_check(const struct host_disk *disk, const char *what)
{
	char command[256];

	if (e2fsck(disk) == 0)
		return;
	snprintf(command, sizeof(command), "cat %s/e2fsck.log; mv %s/disk.img %s/pagetrail-damaged.img",
		 host_folder(), host_folder(), temporary_folder());
	run(command);
	fail_msg("e2fsck is not content: %s (HOST_SEED=%lu); image in %s/pagetrail-damaged.img", what,
		 (unsigned long)host_seed(), temporary_folder());
}

u8 *host_disk_dump(const struct host_disk *disk, const char *path, long *size_bytes)
{
	char image[128], command[1024], out[128];
	FILE *file;
	u8 *bytes;

	write_image(disk, image, sizeof(image));
	snprintf(out, sizeof(out), "%s/dump", host_folder());
	unlink(out);
	snprintf(command, sizeof(command), "debugfs -R 'dump \"%s\" %s' %s >/dev/null 2>&1", path, out,
		 image);
	run(command);
	*size_bytes = -1;
	file = fopen(out, "rb");
	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	*size_bytes = ftell(file);
	rewind(file);
	bytes = malloc((size_t)*size_bytes + 1);
	if (fread(bytes, 1, (size_t)*size_bytes, file) != (size_t)*size_bytes)
		fail_msg("cannot read %s", out);
	fclose(file);
	return bytes;
}
