/* SPDX-License-Identifier: MIT
 *
 * ram_copy: see ram_copy.h.
 */
#include "ram_copy.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "guest.h"

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE_BYTES - 1);
}

static bool write_all(int fd, const uint8_t *from, uint64_t bytes, uint64_t at)
{
	while (bytes) {
		ssize_t written = pwrite(fd, from, bytes, (off_t)at);
		if (written <= 0)
			return false;
		from += written;
		at += (uint64_t)written;
		bytes -= (uint64_t)written;
	}
	return true;
}

/* Runs of pages that are not zero, each in one write. */
static bool write_pages(int fd, const uint8_t *ram, uint64_t bytes)
{
	for (uint64_t at = 0, end; at < bytes; at = end) {
		end = at + PAGE_BYTES;
		if (is_zero(ram + at))
			continue;
		while (end < bytes && !is_zero(ram + end))
			end += PAGE_BYTES;
		if (!write_all(fd, ram + at, end - at, at))
			return false;
	}
	return true;
}

bool ram_copy_write(const char *path)
{
	uint64_t bytes = guest_ram_bytes();
	const uint8_t *ram = guest_pa(guest_ram_base(), bytes);
	char new_path[4200];

	if (!ram)
		return false;
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	unlink(new_path);
	int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool whole = ftruncate(fd, (off_t)bytes) == 0 && write_pages(fd, ram, bytes);
	whole = close(fd) == 0 && whole && rename(new_path, path) == 0;
	if (!whole)
		unlink(new_path);
	return whole;
}
