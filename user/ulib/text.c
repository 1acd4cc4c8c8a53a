/* SPDX-License-Identifier: MIT */
/* Output, lines, numbers, error texts. The formatter is the kernel's (kernel/lib/format.c). */
#include "ulib.h"

int kvsnprintf(char *buf, size_t size_bytes, const char *fmt, va_list args);

int vsnprintf(char *buf, size_t size_bytes, const char *fmt, va_list args)
{
	return kvsnprintf(buf, size_bytes, fmt, args);
}

int snprintf(char *buf, size_t size_bytes, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int length = kvsnprintf(buf, size_bytes, fmt, args);
	va_end(args);
	return length;
}

static void vfprintf(int fd, const char *fmt, va_list args)
{
	char text[1024];
	int length = kvsnprintf(text, sizeof(text), fmt, args);

	write_full(fd, text, MIN((size_t)length, sizeof(text) - 1));
}

void printf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(1, fmt, args);
	va_end(args);
}

void fprintf(int fd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(fd, fmt, args);
	va_end(args);
}

void die(const char *fmt, ...)
{
	char text[1000];
	va_list args;

	va_start(args, fmt);
	kvsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(2, "%s\n", text);
	exit(1);
}

long line_read(struct line_reader *reader, char *line, size_t size_bytes)
{
	size_t length = 0;
	bool any = false;

	for (;;) {
		if (reader->position_bytes >= reader->length_bytes) {
			reader->length_bytes = read(reader->fd, reader->buf, sizeof(reader->buf));
			reader->position_bytes = 0;
			if (reader->length_bytes <= 0)
				break;
		}
		char c = reader->buf[reader->position_bytes++];
		any = true;
		if (c == '\n')
			break;
		if (length + 1 < size_bytes)
			line[length++] = c;
	}
	line[length] = 0;
	return any ? (long)length : -1;
}

long parse_number(const char *text)
{
	char digits[24];
	size_t length = str_copy(digits, text, sizeof(digits));
	uint64_t value, unit = 1;

	if (length > 0 && length < sizeof(digits)) {
		if (digits[length - 1] == 'K')
			unit = 1024;
		else if (digits[length - 1] == 'M')
			unit = 1024 * 1024;
		if (unit > 1)
			digits[length - 1] = 0;
	}
	if (!str_to_u64(digits, &value))
		die("%s: not a number", text);
	return (long)(value * unit);
}

char *strstr(const char *s, const char *word)
{
	size_t length = strlen(word);

	for (; *s; s++)
		if (strncmp(s, word, length) == 0)
			return (char *)s;
	return length ? NULL : (char *)s;
}

const char *error_text(long error)
{
	static const char *const texts[] = {
	    [0] = "no error",
	    [EPERM] = "not permitted",
	    [ENOENT] = "no such file or directory",
	    [ESRCH] = "no such process",
	    [EINTR] = "interrupted",
	    [EIO] = "input/output error",
	    [ENXIO] = "no such device or address",
	    [E2BIG] = "argument list too long",
	    [ENOEXEC] = "not a program this machine can run",
	    [EBADF] = "bad file descriptor",
	    [ECHILD] = "no child processes",
	    [EAGAIN] = "try again",
	    [ENOMEM] = "out of memory",
	    [EACCES] = "access denied",
	    [EFAULT] = "bad address",
	    [EBUSY] = "busy",
	    [EEXIST] = "file exists",
	    [EXDEV] = "another file system",
	    [ENODEV] = "no such device",
	    [ENOTDIR] = "not a directory",
	    [EISDIR] = "is a directory",
	    [EINVAL] = "invalid argument",
	    [ENFILE] = "too many open files in the system",
	    [EMFILE] = "too many open files",
	    [ENOTTY] = "not a terminal",
	    [EFBIG] = "file too large",
	    [ENOSPC] = "no space on the disk",
	    [ESPIPE] = "cannot seek",
	    [EROFS] = "read-only file system",
	    [EMLINK] = "too many links",
	    [EPIPE] = "broken pipe",
	    [ERANGE] = "out of range",
	    [ENAMETOOLONG] = "name too long",
	    [ENOSYS] = "no such system call",
	    [ENOTEMPTY] = "directory not empty",
	    [ELOOP] = "too many symbolic links",
	    [EUCLEAN] = "file system is damaged",
	};
	static char unknown[24];

	if (error < 0)
		error = -error;
	if ((size_t)error < ARRAY_SIZE(texts) && texts[error])
		return texts[error];
	snprintf(unknown, sizeof(unknown), "error %ld", error);
	return unknown;
}
