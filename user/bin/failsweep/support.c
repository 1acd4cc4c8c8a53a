/* SPDX-License-Identifier: MIT */
/* What several scenarios need. */
#include "failsweep.h"

int nth_fd = -1, hold = -1;
char buffer[BUFFER_BYTES];
static volatile int *rival_stop; /* shared with the rival */
static int rival;

void broken(const char *file, int line, const char *fmt, ...)
{
	char text[200];
	va_list args;

	if (nth_fd >= 0)
		nth_set(0, 0);
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(2, "  %s:%d: %s\n", file, line, text);
	if (rival_stop)
		*rival_stop = 1;
	exit(BROKEN);
}

/* ---- fail-nth ---- */

void nth_open(void)
{
	nth_fd = (int)CHECK_OK(open("/proc/self/fail-nth", O_RDWR));
	CHECK(nth_left() == 0); /* the first read is the one that takes memory */
}

void nth_set(long nth, long next)
{
	char text[48];
	int length = snprintf(text, sizeof(text), next ? "%ld,%ld" : "%ld", nth, next);

	if (write(nth_fd, text, (size_t)length) != length)
		exit(BROKEN);
}

long nth_left(void)
{
	char text[24];
	uint64_t left;

	lseek(nth_fd, 0, SEEK_SET);
	long length = read(nth_fd, text, sizeof(text) - 1);
	if (length <= 0)
		exit(BROKEN);
	text[length - 1] = 0; /* the newline */
	return str_to_u64(text, &left) ? (long)left : -1;
}

/* ---- contents ---- */

static char byte_at(long offset)
{
	return (char)(offset ^ (offset >> 8) * 5 ^ (offset >> 16) * 11 ^ 0x33);
}

void fill(char *buf, long offset, long size_bytes)
{
	for (long i = 0; i < size_bytes; i++)
		buf[i] = byte_at(offset + i);
}

bool filled(const char *buf, long offset, long size_bytes)
{
	for (long i = 0; i < size_bytes; i++)
		if (buf[i] != byte_at(offset + i))
			return false;
	return true;
}

void make_file(const char *path, long from, long size_bytes)
{
	int fd = (int)CHECK_OK(creat(path));

	CHECK_OK(lseek(fd, from, SEEK_SET));
	for (long at = from; at < size_bytes;) {
		long part = MIN(size_bytes - at, (long)PAGE_BYTES);
		fill(buffer, at, part);
		CHECK(write(fd, buffer, (size_t)part) == part);
		at += part;
	}
	close(fd);
}

void check_file(const char *path, long from, long size_bytes)
{
	int fd = (int)CHECK_OK(open(path, O_RDONLY));
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	if ((long)st.st_size != size_bytes)
		FAIL("%s has %ld bytes, not %ld", path, (long)st.st_size, size_bytes);
	/* Of a hole only the last page is looked at: some are large. */
	CHECK_OK(lseek(fd, MAX(from - (long)PAGE_BYTES, 0), SEEK_SET));
	for (long at = MAX(from - (long)PAGE_BYTES, 0); at < size_bytes;) {
		long limit = at < from ? from - at : size_bytes - at;
		long part = CHECK_OK(read(fd, buffer, (size_t)MIN(limit, (long)PAGE_BYTES)));

		CHECK(part > 0);
		for (long i = 0; at < from && i < part; i++)
			if (buffer[i])
				FAIL("%s: byte %ld of a hole is not zero", path, at + i);
		if (at >= from && !filled(buffer, at, part))
			FAIL("%s: wrong contents from byte %ld", path, at);
		at += part;
	}
	close(fd);
}

/* ---- a child ---- */

int start_idle_child(void)
{
	int ends[2], pid;
	char byte;

	CHECK_OK(pipe(ends));
	pid = (int)CHECK_OK(fork());
	if (pid == 0) {
		close(ends[1]);
		read(ends[0], &byte, 1);
		exit(0);
	}
	close(ends[0]);
	hold = ends[1];
	return pid;
}

void end_idle_child(int pid)
{
	int status;

	close(hold);
	CHECK(wait_pid(pid, &status) == pid);
}

void start_rival(void (*round)(void))
{
	rival_stop = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(rival_stop);
	*rival_stop = 0;
	rival = (int)CHECK_OK(fork());
	if (rival)
		return;
	while (!*rival_stop)
		round();
	exit(0);
}

void end_rival(void)
{
	int status;

	*rival_stop = 1;
	CHECK(wait_pid(rival, &status) == rival);
	if (status)
		exit(BROKEN);
}
