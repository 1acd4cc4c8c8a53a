/* SPDX-License-Identifier: MIT */
/* util: see util.h. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

void die(const char *fmt, ...)
{
	va_list args;

	progress_erase();
	fflush(stdout);
	fputs("pagetrail: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(STATUS_CANNOT_TELL);
}

void warn(const char *fmt, ...)
{
	va_list args;

	progress_erase();
	fflush(stdout);
	fputs("pagetrail: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void *xcalloc(size_t nr, size_t bytes)
{
	void *ptr = calloc(nr ? nr : 1, bytes ? bytes : 1);

	if (!ptr)
		die("out of memory (%zu x %zu byte%s)", nr, bytes, plural_s(bytes));
	return ptr;
}

void *xrealloc(void *ptr, size_t bytes)
{
	ptr = realloc(ptr, bytes ? bytes : 1);
	if (!ptr)
		die("out of memory (%zu byte%s)", bytes, plural_s(bytes));
	return ptr;
}

char *xstrdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		die("out of memory");
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	char *text;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		die("out of memory");
	va_end(args);
	return text;
}

void *array_room(void *array, size_t nr, size_t *capacity, size_t bytes)
{
	if (nr < *capacity)
		return array;
	size_t more = *capacity ? *capacity * 2 : 16;
	array = xrealloc(array, more * bytes);
	memset((char *)array + *capacity * bytes, 0, (more - *capacity) * bytes);
	*capacity = more;
	return array;
}

char *file_read_all(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t used = 0, capacity = 0;

	if (!file)
		return NULL;
	for (;;) {
		if (capacity - used < 4096)
			text = xrealloc(text, capacity = capacity ? capacity * 2 : 16384);
		size_t got = fread(text + used, 1, capacity - used - 1, file);
		used += got;
		if (got == 0)
			break;
	}
	if (ferror(file)) {
		int error = errno;
		fclose(file);
		free(text);
		errno = error;
		return NULL;
	}
	fclose(file);
	text[used] = 0;
	if (bytes)
		*bytes = used;
	return text;
}

int file_open_regular(const char *path, uint64_t max, size_t *bytes, const char **fault)
{
	struct stat about;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &about))
		*fault = strerror(errno);
	else if (S_ISDIR(about.st_mode))
		*fault = strerror(EISDIR);
	else if (!S_ISREG(about.st_mode))
		*fault = "not a regular file";
	else if ((uint64_t)about.st_size > max)
		*fault = "larger than such a file can be";
	else {
		*bytes = (size_t)about.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

char *file_read_regular(const char *path, uint64_t max, size_t *bytes, const char **fault)
{
	size_t size, used = 0;
	int fd = file_open_regular(path, max, &size, fault);

	if (fd < 0)
		return NULL;
	char *text = xcalloc(1, size + 1);
	while (used < size) {
		ssize_t nr = read(fd, text + used, size - used);
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			break;
		used += (size_t)nr;
	}
	close(fd);
	if (bytes)
		*bytes = used;
	return text;
}

bool file_exists(const char *path)
{
	struct stat about;

	return !lstat(path, &about);
}

bool file_is_regular(const char *path)
{
	struct stat about;

	return !stat(path, &about) && S_ISREG(about.st_mode) && !access(path, R_OK);
}

int make_folders(const char *path)
{
	char *copy = xstrdup(path);
	int result = 0;

	for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = 0;
		if (mkdir(copy, 0777) && errno != EEXIST) {
			result = -1;
			break;
		}
		if (!slash)
			break;
		*slash = '/';
	}
	free(copy);
	return result;
}

static bool same_file(const char *a, const char *b)
{
	struct stat left, right;

	return !stat(a, &left) && !stat(b, &right) && left.st_dev == right.st_dev &&
	       left.st_ino == right.st_ino;
}

/* Blocks of zeros become holes: the RAM of a guest is mostly that. */
static int remove_one(const char *path, const struct stat *about, int type, struct FTW *place)
{
	return remove(path);
}

int folder_remove(const char *path)
{
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT ? -1 : 0;
}

int file_copy(const char *from, const char *to)
{
	if (same_file(from, to))
		return 0;

	static const char zeros[4096];
	char block[4096];
	size_t nr;
	FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;

	if (!out) {
		if (in)
			fclose(in);
		return -1;
	}
	while ((nr = fread(block, 1, sizeof(block), in)) != 0) {
		if (nr == sizeof(block) && !memcmp(block, zeros, nr) ? fseek(out, (long)nr, SEEK_CUR) != 0
								     : fwrite(block, 1, nr, out) != nr)
			break;
	}
	bool failed = nr != 0 || ferror(in) || fflush(out) || ftruncate(fileno(out), ftell(out));
	fclose(in);
	return fclose(out) || failed ? -1 : 0;
}

const char *bytes_text(uint64_t bytes, char buf[24])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
	double value = (double)bytes;
	int unit = 0;

	while (value >= 1024 && unit < 3) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, 24, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

int64_t clock_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}
