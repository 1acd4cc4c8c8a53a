/* SPDX-License-Identifier: MIT */
/* util: memory that does not fail, growing arrays, a hash table of counters, text. For every part of the tools. */
#ifndef TOOLS_BASE_UTIL_H
#define TOOLS_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses of every command. */
enum { STATUS_OK = 0, STATUS_LEAKED = 1, STATUS_CANNOT_TELL = 2 };
/* Of two the one that counts: a leak, else what cannot be told. */
static inline int status_worse(int a, int b)
{
	return a == STATUS_LEAKED || b == STATUS_OK ? a : b;
}

/* Prints "pagetrail: ..." and exits with STATUS_CANNOT_TELL. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed; die when memory is out. */
void *xcalloc(size_t nr, size_t bytes);
void *xrealloc(void *ptr, size_t bytes);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Room for one more element of `bytes` in array[*capacity], of which nr are used; new room is zeroed. */
void *array_room(void *array, size_t nr, size_t *capacity, size_t bytes);
#define ARRAY_PUSH(array, nr, capacity)                                                                      \
	(*((array) = array_room((array), (nr), &(capacity), sizeof(*(array))), &(array)[(nr)++]))

static inline uint64_t hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 29;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

/* What follows a count: "%u page%s", nr, plural_s(nr); plural(nr, "is", "are") for other words. */
static inline const char *plural(uint64_t nr, const char *one, const char *many)
{
	return nr == 1 ? one : many;
}
static inline const char *plural_s(uint64_t nr)
{
	return plural(nr, "", "s");
}

/* Nanoseconds of the monotonic clock. */
int64_t clock_ns(void);

/* The whole file with a 0 behind it, or NULL with errno. Caller frees. */
char *file_read_all(const char *path, size_t *bytes);
/*
 * Opens a regular file for reading without ever waiting: -1 and why in *fault (a constant, or strerror's) for a pipe, a
 * device, a folder, or a file of more than `max` bytes. Its size goes into *bytes.
 */
int file_open_regular(const char *path, uint64_t max, size_t *bytes, const char **fault);
/* A whole regular file with a 0 behind it; NULL and why in *fault. Caller frees. */
char *file_read_regular(const char *path, uint64_t max, size_t *bytes, const char **fault);
/* Something of that name is there, whatever it is. */
bool file_exists(const char *path);
/* It is there, is a regular file and may be read. */
bool file_is_regular(const char *path);
/* mkdir -p; 0 or -1 with errno. */
int make_folders(const char *path);
/* rm -r; what is not there is removed. 0 or -1 with errno. */
int folder_remove(const char *path);
/* 0 or -1 with errno. A file is its own copy. */
int file_copy(const char *from, const char *to);

/* "12.0 KiB". Into buf. */
const char *bytes_text(uint64_t bytes, char buf[24]);

#endif
