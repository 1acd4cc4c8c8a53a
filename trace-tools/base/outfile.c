/* SPDX-License-Identifier: MIT */
/* outfile: see outfile.h. */
#include "outfile.h"

#include <errno.h>
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

void outfile_open(struct outfile *out, const char *path)
{
	if (is_ordinary(path))
		outfile_name(out, path);
	else
		*out = (struct outfile){.path = path};
	out->file = fopen(out->part ? out->part : path, "wb");
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
	*out = (struct outfile){0};
}

void outfile_close(struct outfile *out)
{
	const char *path = out->path;

	errno = EIO; /* an error of an earlier write has no number any more */
	bool failed = out->file && (ferror(out->file) | fclose(out->file));
	out->file = NULL;
	if (failed || (out->part && rename(out->part, path))) {
		int error = errno;
		outfile_drop(out);
		die("%s: %s", path, strerror(error));
	}
	free(out->part);
	*out = (struct outfile){0};
}
