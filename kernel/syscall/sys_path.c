/* SPDX-License-Identifier: MIT */
/* System calls on names. */
#include "syscall_priv.h"

s64 sys_mkdir(const u64 *arg)
{
	const struct inode_spec spec = {.mode = S_IFDIR | 0755};
	struct inode *inode;
	char *path;
	int err = path_from_user(arg[0], &path);

	if (err)
		return err;
	err = path_create(current_proc()->cwd, path, &spec, true, &inode);
	path_release(path);
	if (!err)
		inode_put(inode);
	return err;
}

s64 sys_mknod(const u64 *arg)
{
	struct inode_spec spec = {.mode = (u32)arg[1], .device = (u32)arg[2]};
	struct inode *inode;
	char *path;
	int err;

	if (!(spec.mode & S_IFMT))
		spec.mode |= S_IFREG;
	if (((spec.mode & S_IFMT) != S_IFCHR && (spec.mode & S_IFMT) != S_IFREG) || arg[2] > 0xffff)
		return -EINVAL;
	err = path_from_user(arg[0], &path);
	if (err)
		return err;
	err = path_create(current_proc()->cwd, path, &spec, true, &inode);
	path_release(path);
	if (!err)
		inode_put(inode);
	return err;
}

s64 sys_link(const u64 *arg)
{
	char *old_path, *new_path;
	int err = path_from_user(arg[0], &old_path);

	if (err)
		return err;
	err = path_from_user(arg[1], &new_path);
	if (!err) {
		err = path_link(current_proc()->cwd, old_path, new_path);
		path_release(new_path);
	}
	path_release(old_path);
	return err;
}

s64 sys_symlink(const u64 *arg)
{
	char *target, *path;
	int err = path_from_user(arg[0], &target);

	if (err)
		return err;
	err = path_from_user(arg[1], &path);
	if (!err) {
		err = path_symlink(current_proc()->cwd, target, path);
		path_release(path);
	}
	path_release(target);
	return err;
}

static s64 remove_name(uaddr_t ua, bool directory)
{
	char *path;
	int err = path_from_user(ua, &path);

	if (err)
		return err;
	err = path_unlink(current_proc()->cwd, path, directory);
	if (err == -EISDIR && current_proc()->abi->unlink_takes_directories)
		err = path_unlink(current_proc()->cwd, path, true);
	path_release(path);
	return err;
}

s64 sys_unlink(const u64 *arg)
{
	return remove_name(arg[0], false);
}

s64 sys_rmdir(const u64 *arg)
{
	return remove_name(arg[0], true);
}

s64 sys_chdir(const u64 *arg)
{
	struct proc *proc = current_proc();
	struct inode *inode, *old = proc->cwd;
	bool directory;
	char *path;
	int err = path_from_user(arg[0], &path);

	if (err)
		return err;
	err = path_lookup(old, path, &inode);
	path_release(path);
	if (err)
		return err;
	err = inode_lock(inode);
	if (err) {
		inode_put(inode);
		return err;
	}
	directory = (inode->mode & S_IFMT) == S_IFDIR;
	inode_unlock(inode);
	if (!directory) {
		inode_put(inode);
		return -ENOTDIR;
	}
	proc->cwd = inode;
	inode_put_ref(old, REF_CWD, CWD_HOLDER(proc->task->pid));
	inode_pass(inode, REF_CWD, CWD_HOLDER(proc->task->pid));
	return 0;
}

s64 sys_statfs(const u64 *arg)
{
	struct statfs out;
	char *path;
	int err = path_from_user(arg[0], &path);

	if (err)
		return err;
	memset(&out, 0, sizeof(out));
	err = path_statfs(current_proc()->cwd, path, &out);
	path_release(path);
	return err ? err : copy_to_user(arg[1], &out, sizeof(out));
}
