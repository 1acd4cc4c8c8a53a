/* SPDX-License-Identifier: MIT */
/* outfile: see outfile.h. */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

static bool is_ordinary(const char *path)
{
	struct stat about;

	return lstat(path, &about) || S_ISREG(about.st_mode);
}

void outfile_name(struct outfile *out, const char *path)
{
	*out = (struct outfile){.path = path, .part = xasprintf("%s.part", path)};
	if (!is_ordinary(path))
		die("%s: is there, and no ordinary file", path);
	if (unlink(out->part) && errno != ENOENT)
		die("%s: %s", out->part, strerror(errno));
}

/* A stream of the C library remembers that a write failed, and forgets why: this keeps the reason of the first. */
struct outfile_sink {
	int fd;
	int error;
};

static ssize_t sink_write(void *cookie, const char *bytes, size_t nr)
{
	struct outfile_sink *sink = cookie;
	ssize_t written;

	do
		written = write(sink->fd, bytes, nr);
	while (written < 0 && errno == EINTR);
	if (written >= 0)
		return written;
	if (!sink->error)
		sink->error = errno;
	return 0; /* what the C library calls an error */
}

static int sink_close(void *cookie)
{
	struct outfile_sink *sink = cookie;
	int failed = close(sink->fd);

	if (failed && !sink->error)
		sink->error = errno;
	return failed;
}

void outfile_open(struct outfile *out, const char *path)
{
	static const cookie_io_functions_t calls = {.write = sink_write, .close = sink_close};

	if (is_ordinary(path))
		outfile_name(out, path);
	else
		*out = (struct outfile){.path = path};
	out->sink = xcalloc(1, sizeof(*out->sink));
	out->sink->fd = open(out->part ? out->part : path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out->sink->fd >= 0)
		out->file = fopencookie(out->sink, "w", calls);
	if (!out->file)
		die("%s: %s", out->part ? out->part : path, strerror(errno));
}

void outfile_drop(struct outfile *out)
{
	if (out->file)
		fclose(out->file);
	if (out->part)
		unlink(out->part);
	free(out->part);
	free(out->sink);
	*out = (struct outfile){0};
}

void outfile_close(struct outfile *out)
{
	const char *path = out->path;

	bool failed = out->file && (ferror(out->file) | fclose(out->file));
	int error = failed ? out->sink->error : 0;
	out->file = NULL;
	if (!failed && out->part && rename(out->part, path)) {
		failed = true;
		error = errno;
	}
	if (failed) {
		outfile_drop(out);
		die("%s: %s", path, strerror(error));
	}
	free(out->part);
	free(out->sink);
	*out = (struct outfile){0};
}
