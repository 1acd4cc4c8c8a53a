/* SPDX-License-Identifier: MIT */
/* watch_disks: see watch_disks.h. */
#include "watch_disks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"

/* Where "file=…" of a -drive's word is, and how long; NULL: it has none. A comma that is written twice belongs to the name. */
static const char *find_file(const char *word, size_t *bytes)
{
	const char *at = word, *end;

	while (at && strncmp(at, "file=", 5)) {
		at = strchr(at, ',');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return NULL;
	at += 5;
	for (end = at; *end && (*end != ',' || end[1] == ','); end += *end == ',' ? 2 : 1)
		;
	*bytes = (size_t)(end - at);
	return at;
}

static char *copy_path(const char *run, unsigned n)
{
	return xasprintf("%s/disks/%u", run, n);
}

static void keep(const char *run, unsigned n, const char *word)
{
	size_t length = 0;
	struct stat about;
	const char *at = find_file(word, &length);
	char *file = at ? xasprintf("%.*s", (int)length, at) : NULL, *path = copy_path(run, n);
	char *folder = xasprintf("%s/disks", run);

	if (file && !strchr(file, ',') && !stat(file, &about) && S_ISREG(about.st_mode) &&
	    (uint64_t)about.st_size <= WATCH_DISK_MAX) {
		if (make_folders(folder) || file_copy(file, path))
			die("%s: %s", path, strerror(errno));
	}
	free(file);
	free(path);
	free(folder);
}

void watch_keep_disks(const char *run, int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "-drive") || !strcmp(argv[i], "--drive"))
			keep(run, n++, argv[i + 1]);
	}
}

char *watch_disk_word(const char *run, unsigned n, const char *word)
{
	size_t length = 0;
	const char *at = find_file(word, &length);
	char *path = copy_path(run, n), *text;

	if (at && file_is_regular(path) && !strchr(path, ','))
		text = xasprintf("%.*s%s%s", (int)(at - word), word, path, at + length);
	else
		text = xstrdup(word);
	free(path);
	return text;
}
