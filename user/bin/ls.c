/* SPDX-License-Identifier: MIT */
/* ls [-l] [PATH...]: names of files; -l adds kind, links, size and inode number. */
#include "ulib.h"

static bool long_form;

static char kind_letter(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFCHR:
		return 'c';
	case S_IFIFO:
		return 'p';
	case S_IFLNK:
		return 'l';
	default:
		return '-';
	}
}

static int show(const char *path, const char *name)
{
	struct stat st;

	if (!long_form) {
		printf("%s\n", name);
		return 0;
	}
	int err = stat(path, &st);
	if (err < 0) {
		fprintf(2, "ls: %s: %s\n", path, error_text(err));
		return 1;
	}
	printf("%c %3u %9lu %6lu %s\n", kind_letter(st.st_mode), st.st_nlink, st.st_size, st.st_ino, name);
	return 0;
}

static int list(const char *path)
{
	char entry_path[PATH_MAX];
	struct dirent *entry;
	struct dir dir;
	struct stat st;
	int failed = 0;

	int err = stat(path, &st);
	if (err == 0 && (st.st_mode & S_IFMT) != S_IFDIR)
		return show(path, path);
	if (err == 0)
		err = dir_open(&dir, path);
	if (err < 0) {
		fprintf(2, "ls: %s: %s\n", path, error_text(err));
		return 1;
	}
	while ((entry = dir_read(&dir)) != NULL) {
		snprintf(entry_path, sizeof(entry_path), "%s/%s", path, entry->d_name);
		failed |= show(entry_path, entry->d_name);
	}
	if (dir.length_bytes < 0) {
		fprintf(2, "ls: %s: %s\n", path, error_text(dir.length_bytes));
		failed = 1;
	}
	dir_close(&dir);
	return failed;
}

int main(int argc, char **argv)
{
	int first = 1, failed = 0;

	if (argc > 1 && strcmp(argv[1], "-l") == 0) {
		long_form = true;
		first++;
	}
	if (first == argc)
		return list(".");
	for (int i = first; i < argc; i++)
		failed |= list(argv[i]);
	return failed;
}
