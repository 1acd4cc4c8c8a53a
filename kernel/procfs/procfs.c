/* SPDX-License-Identifier: MIT */
/*
 * The tree of /proc: a root with one file per subject and one directory per task, "self" among them.
 *
 * Inode numbers are computed: 1 is the root, 2 + i its file i, 0x10000 + 16 * pid + k what belongs to a task:
 * the directory (k = 0) and its file k - 1. So nothing is kept for a task, and one that is gone is found
 * missing when the inode is read in or a file on it is opened.
 */
#include "procfs_priv.h"
#include <kernel/procfs.h>
#include <kernel/slab.h>

#define ROOT_NUMBER 1
#define FILES_NUMBER 2
#define PIDS_NUMBER 0x10000U
#define PID_NUMBERS 16U /* a task */

/*
 * Positions in a directory: what stands there, or in the root FIRST_PID + the last pid given, and in the upper half
 * the last pid to give: tasks may come and go between two reads, and who forks fast must not keep a reader for ever.
 */
enum { POSITION_FIRST_FILE = 2, POSITION_FIRST_PID = 64 };
#define POSITION_OF_PID(pid, last) ((u64)(last) << 32 | (POSITION_FIRST_PID + (u64)(pid)))

const struct proc_node *const procfs_root_nodes[] = {
    &meminfo_node,   &vmstat_node,     &buddyinfo_node,  &slabinfo_node, &page_owner_node, &audit_node,
    &ktrace_node,    &ktrace_ctl_node, &stacks_node,     &checks_node,   &lockstat_node,   &pages_node,
    &allocinfo_node, &kpagecount_node, &kpageflags_node, NULL,
};
STATIC_ASSERT(ARRAY_SIZE(procfs_root_nodes) < POSITION_FIRST_PID - POSITION_FIRST_FILE, "positions");

static struct superblock procfs_sb;

static u32 pid_number(u16 pid, u32 k)
{
	return PIDS_NUMBER + pid * PID_NUMBERS + k;
}
static u16 number_pid(u32 number)
{
	return number >= PIDS_NUMBER ? (number - PIDS_NUMBER) / PID_NUMBERS : 0;
}

static const struct proc_node *number_node(u32 number)
{
	if (number >= PIDS_NUMBER)
		return &procfs_pid_nodes[(number - PIDS_NUMBER) % PID_NUMBERS - 1];
	return procfs_root_nodes[number - FILES_NUMBER];
}

static bool number_is_directory(u32 number)
{
	return number == ROOT_NUMBER || (number >= PIDS_NUMBER && (number - PIDS_NUMBER) % PID_NUMBERS == 0);
}

/* ---- directories ---- */

static bool name_is(const char *name, u32 name_bytes, const char *text)
{
	return strlen(text) == name_bytes && memcmp(name, text, name_bytes) == 0;
}

static u16 name_pid(const char *name, u32 name_bytes)
{
	char digits[8];
	u64 pid;

	if (name_is(name, name_bytes, "self"))
		return current_task()->pid;
	if (name_bytes >= sizeof(digits) || name[0] == '0')
		return 0;
	memcpy(digits, name, name_bytes);
	digits[name_bytes] = 0;
	if (!str_to_u64(digits, &pid) || pid > PID_MAX)
		return 0;
	return procfs_pid_exists((u16)pid) ? (u16)pid : 0;
}

static u32 lookup_number(struct inode *dir, const char *name, u32 name_bytes)
{
	u16 pid = number_pid(dir->number);

	if (name_is(name, name_bytes, "."))
		return dir->number;
	if (pid) {
		if (name_is(name, name_bytes, ".."))
			return ROOT_NUMBER;
		for (u32 k = 0; procfs_pid_nodes[k].name; k++)
			if (name_is(name, name_bytes, procfs_pid_nodes[k].name))
				return pid_number(pid, k + 1);
		return 0;
	}
	if (name_is(name, name_bytes, ".."))
		return ROOT_NUMBER;
	for (u32 i = 0; procfs_root_nodes[i]; i++)
		if (name_is(name, name_bytes, procfs_root_nodes[i]->name))
			return FILES_NUMBER + i;
	pid = name_pid(name, name_bytes);
	return pid ? pid_number(pid, 0) : 0;
}

static int procfs_lookup(struct inode *dir, const char *name, u32 name_bytes, struct inode **result)
{
	u32 number = lookup_number(dir, name, name_bytes);
	int err = 0;

	if (!number)
		return -ENOENT;
	*result = inode_get(dir->sb, number, &err);
	return *result ? 0 : err;
}

/* Gives one entry and moves the position to `next`; false when there is no room. */
static bool give(u64 *position, u64 next, dir_emit_fn emit, void *arg, const char *name, u32 number)
{
	u8 type = number_is_directory(number) ? DT_DIR : DT_REG;

	if (!emit(arg, name, (u32)strlen(name), number, type))
		return false;
	*position = next;
	return true;
}

static void readdir_pid(u16 pid, u64 *position, dir_emit_fn emit, void *arg)
{
	/* From the first on, as the position may be any number: it is what the reader made it. */
	for (u32 k = 0; procfs_pid_nodes[k].name; k++)
		if (*position == POSITION_FIRST_FILE + k &&
		    !give(position, *position + 1, emit, arg, procfs_pid_nodes[k].name,
			  pid_number(pid, k + 1)))
			return;
}

static void readdir_root(u64 *position, dir_emit_fn emit, void *arg)
{
	while (*position < POSITION_FIRST_PID) {
		u64 i = *position - POSITION_FIRST_FILE;

		if (i >= ARRAY_SIZE(procfs_root_nodes) - 1) { /* the position is what the reader made it */
			if (give(position, POSITION_OF_PID(0, procfs_pid_last()), emit, arg, "self",
				 pid_number(current_task()->pid, 0)))
				break;
			return;
		}
		if (!give(position, *position + 1, emit, arg, procfs_root_nodes[i]->name,
			  FILES_NUMBER + (u32)i))
			return;
	}
	for (;;) {
		u16 last = (u16)(*position >> 32);
		u16 pid = procfs_pid_next((u16)((u32)*position - POSITION_FIRST_PID));
		char name[8];

		ksnprintf(name, sizeof(name), "%u", pid);
		if (!pid || pid > last ||
		    !give(position, POSITION_OF_PID(pid, last), emit, arg, name, pid_number(pid, 0)))
			return;
	}
}

static int procfs_readdir(struct inode *dir, u64 *position, dir_emit_fn emit, void *arg)
{
	u16 pid = number_pid(dir->number);

	if ((u32)*position > POSITION_FIRST_PID + PID_MAX)
		return 0;
	if (*position == 0 && !give(position, 1, emit, arg, ".", dir->number))
		return 0;
	if (*position == 1 && !give(position, 2, emit, arg, "..", ROOT_NUMBER))
		return 0;
	if (pid)
		readdir_pid(pid, position, emit, arg);
	else
		readdir_root(position, emit, arg);
	return 0;
}

/* ---- files ---- */

static int procfs_open(struct inode *inode, struct file *file)
{
	u16 pid = number_pid(inode->number);

	if (pid && !procfs_pid_exists(pid))
		return -ENOENT;
	return proc_file_open(file, number_node(inode->number), pid);
}

static void procfs_release(struct inode *inode, struct file *file)
{
	proc_file_release(file);
}

/* So that "> file" works: these files have no length to cut. */
static int procfs_truncate(struct inode *inode, u64 size_bytes)
{
	return 0;
}

static int procfs_evict(struct inode *inode)
{
	return 0;
}

static const struct inode_ops directory_ops = {
    .lookup = procfs_lookup,
    .readdir = procfs_readdir,
    .evict = procfs_evict,
};
static const struct inode_ops file_ops = {
    .open = procfs_open,
    .release = procfs_release,
    .file_read = proc_file_read,
    .file_write = proc_file_write,
    .truncate = procfs_truncate,
    .evict = procfs_evict,
    .claims = proc_file_claims,
};

static int procfs_read_inode(struct inode *inode)
{
	u16 pid = number_pid(inode->number);

	if (pid && !procfs_pid_exists(pid))
		return -ENOENT;
	inode->size = 0;
	if (number_is_directory(inode->number)) {
		inode->mode = S_IFDIR | 0555;
		inode->links = 2;
		inode->ops = &directory_ops;
	} else {
		inode->mode = S_IFREG | number_node(inode->number)->mode;
		inode->links = 1;
		inode->ops = &file_ops;
	}
	return 0;
}

static int procfs_sync(struct superblock *sb)
{
	return 0;
}

static void procfs_statfs(struct superblock *sb, struct statfs *out)
{
	out->f_bsize = PAGE_SIZE;
	out->f_type = 0x9fa0; /* PROC_SUPER_MAGIC of statfs(2) */
}

struct superblock *procfs_create(void)
{
	int err;

	proc_file_init();
	procfs_sb = (struct superblock){
	    .type = "proc",
	    .read_inode = procfs_read_inode,
	    .sync = procfs_sync,
	    .statfs = procfs_statfs,
	};
	procfs_sb.root = inode_get(&procfs_sb, ROOT_NUMBER, &err);
	if (!procfs_sb.root)
		return NULL;
	inode_pass(procfs_sb.root, REF_MOUNT, ROOT_HOLDER);
	return &procfs_sb;
}
