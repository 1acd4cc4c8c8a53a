/* SPDX-License-Identifier: MIT */
/* Strings and ranges that come from user mode. */
#include "syscall_priv.h"
#include <kernel/slab.h>

static struct kmem_cache *path_cache;

void user_args_init(void)
{
	path_cache = kmem_cache_create("path", PATH_MAX);
}

int path_from_user(uaddr_t ua, char **path)
{
	char *buffer = kmem_cache_alloc(path_cache, HOLDER_NONE, 0);
	ssize_t length;

	if (!buffer)
		return -ENOMEM;
	length = strncpy_from_user(buffer, ua, PATH_MAX);
	if (length > 0 && current_proc()->abi->fit_path) {
		int err = current_proc()->abi->fit_path(buffer);

		length = err ? err : length;
	}
	if (length <= 0) {
		path_release(buffer);
		return length ? (int)length : -ENOENT;
	}
	*path = buffer;
	return 0;
}

void path_release(char *path)
{
	kmem_cache_free(path_cache, path, HOLDER_NONE);
}

int check_user_range(uaddr_t ua, u64 size_bytes)
{
	if ((s64)size_bytes < 0)
		return -EINVAL;
	if (size_bytes > USER_END || ua > USER_END - size_bytes)
		return -EFAULT;
	return 0;
}
