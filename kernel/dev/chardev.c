/* SPDX-License-Identifier: MIT */
/*
 * The table of character devices by major number, and the two that need no hardware.
 * Written at boot only, so it has no lock.
 */
#include <kernel/dev.h>
#include <kernel/lib.h>

static const struct char_device *devices[DEV_MAJOR_NR];

void dev_register(u16 major, const struct char_device *device)
{
	KASSERT(major < DEV_MAJOR_NR && !devices[major]);
	devices[major] = device;
}

const struct char_device *dev_lookup(u16 major)
{
	return major < DEV_MAJOR_NR ? devices[major] : NULL;
}

static ssize_t null_read(uaddr_t dst, size_t size_bytes, u64 *offset)
{
	return 0;
}

static ssize_t null_write(uaddr_t src, size_t size_bytes, u64 *offset)
{
	return (ssize_t)size_bytes;
}

static ssize_t zero_read(uaddr_t dst, size_t size_bytes, u64 *offset)
{
	int err = clear_user(dst, size_bytes);

	return err ? err : (ssize_t)size_bytes;
}

static const struct char_device null_device = {.name = "null", .read = null_read, .write = null_write};
static const struct char_device zero_device = {.name = "zero", .read = zero_read, .write = null_write};

void chardev_init(void)
{
	dev_register(DEV_MAJOR_NULL, &null_device);
	dev_register(DEV_MAJOR_ZERO, &zero_device);
}
