/* SPDX-License-Identifier: MIT */
/* Scenarios: names and descriptors. */
#include "failsweep.h"

static int ends[2];
static long result_fd;

static bool exists(const char *path)
{
	struct stat st;
	long err = stat(path, &st);

	if (err < 0 && err != -ENOENT)
		FAIL("%s: %s", path, error_text(err));
	return err == 0;
}

static long links_of(const char *path)
{
	struct stat st;

	CHECK_OK(stat(path, &st));
	return (long)st.st_nlink;
}

/* A name that failed to come is not there; then it can be made. */
static void prepare_none(void) {}

static long act_create(void)
{
	result_fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);
	return result_fd;
}
static void check_create(long result)
{
	CHECK(exists("new") == (result >= 0));
	if (result < 0)
		CHECK_OK(act_create());
	CHECK(write((int)result_fd, buffer, 10) == 10);
}

static void prepare_file(void)
{
	make_file("file", 0, 100);
}

/* A target that the inode has room for, and one that needs a block. */
static char long_target[200];

static long act_symlink(void)
{
	return symlink("file", "new");
}
static void prepare_long_target(void)
{
	memset(long_target, '/', sizeof(long_target) - 5);
	memcpy(long_target + sizeof(long_target) - 5, "name", 5);
}
static long act_symlink_long(void)
{
	return symlink(long_target, "new");
}

/* A link that failed to come is not there, and what was taken for it is free again: main.c counts. */
static void check_symlink(long result)
{
	int fd = open("new", O_RDONLY | O_NOFOLLOW);

	if (result < 0)
		CHECK(fd == -ENOENT);
	else
		CHECK(fd != -ENOENT);
	if (fd >= 0)
		close(fd);
}

/*
 * Two processes and one name: one makes a link or a directory of that name and is refused memory on the way, the other
 * makes a file of that name whenever it is free. What fails may only take back its own: the file stays.
 */
static void rival_round(void)
{
	struct stat st, seen;
	int fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);

	if (fd == -EEXIST) {
		if (unlink("new") == -EISDIR)
			rmdir("new");
		return;
	}
	CHECK_OK(fd);
	CHECK_OK(fstat(fd, &st));
	for (int i = 0; i < 3; i++) {
		yield();
		CHECK_OK(stat("new", &seen));
		CHECK(seen.st_ino == st.st_ino);
	}
	CHECK_OK(close(fd));
	CHECK_OK(unlink("new"));
}
static void prepare_rival(void)
{
	prepare_long_target();
	start_rival(rival_round);
}
/* make again and again; that the name is there already is no error here. */
static long against_rival(long (*make)(void))
{
	for (int i = 0; i < 10; i++) {
		long result = make();

		if (result < 0 && result != -EEXIST)
			return result;
	}
	return 0;
}
static long act_symlink_rival(void)
{
	return against_rival(act_symlink_long);
}
static long make_directory(void)
{
	return mkdir("new");
}
static long act_mkdir_rival(void)
{
	return against_rival(make_directory);
}
static void check_rival(long result)
{
	end_rival();
	if (unlink("new") == -EISDIR)
		rmdir("new");
}

static void prepare_symlink(void)
{
	prepare_file();
	CHECK_OK(symlink("file", "link"));
}
static long act_open_symlink(void)
{
	result_fd = open("link", O_RDONLY);
	return result_fd;
}
static void prepare_link_on_the_way(void)
{
	prepare_file();
	CHECK_OK(symlink(".", "here"));
}
static long act_open_through_links(void)
{
	result_fd = open("here/here/file", O_RDONLY);
	return result_fd;
}
static long act_open(void)
{
	result_fd = open("file", O_RDONLY);
	return result_fd;
}

static long act_mkdir(void)
{
	return mkdir("new");
}
static void check_mkdir(long result)
{
	CHECK(exists("new") == (result >= 0));
	if (result < 0)
		CHECK_OK(mkdir("new"));
	CHECK(links_of("new") == 2 && links_of(".") == 3);
	CHECK_OK(rmdir("new"));
	CHECK(links_of(".") == 2);
}

static long act_mknod(void)
{
	return mknod("new", S_IFCHR | 0644, 0x100);
}
static void check_made(long result)
{
	CHECK(exists("new") == (result >= 0));
}

static long act_link(void)
{
	return link("file", "new");
}
static void check_link(long result)
{
	CHECK(links_of("file") == (result < 0 ? 1 : 2));
	check_made(result);
}

/* A directory whose block is full to the last entry. */
static void prepare_full(void)
{
	char name[NAME_MAX + 1];

	prepare_file();
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = 0;
	for (int i = 0; i < 15; i++) {
		name[0] = (char)('a' + i);
		CHECK_OK(link("file", name));
	}
}
static long act_grow(void)
{
	static char name[NAME_MAX + 1];

	memset(name, 'z', NAME_MAX);
	return link("file", name);
}
static void check_grow(long result)
{
	CHECK(links_of("file") == (result < 0 ? 16 : 17));
	if (result < 0)
		CHECK_OK(act_grow());
}

static long act_unlink(void)
{
	return unlink("file");
}
static void check_unlink(long result)
{
	CHECK(exists("file") == (result < 0));
}
static void prepare_large(void)
{
	make_file("file", 1035 * (long)PAGE_BYTES, 1040 * (long)PAGE_BYTES);
}
static void prepare_linked(void)
{
	prepare_file();
	CHECK_OK(link("file", "other"));
}
static void check_unlink_one(long result)
{
	check_unlink(result);
	CHECK(links_of("other") == (result < 0 ? 2 : 1));
}

static void prepare_directory(void)
{
	CHECK_OK(mkdir("directory"));
}
static long act_rmdir(void)
{
	return rmdir("directory");
}
static void check_rmdir(long result)
{
	CHECK(exists("directory") == (result < 0));
	CHECK(links_of(".") == (result < 0 ? 3 : 2));
}

#define DEPTH 10
static char deep[DEPTH * 12];

static void prepare_deep(void)
{
	deep[0] = 0;
	for (int i = 0; i < DEPTH; i++) {
		snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "%slevel%d", i ? "/" : "", i);
		CHECK_OK(mkdir(deep));
	}
}
static long act_chdir(void)
{
	return chdir(deep);
}
static void check_chdir(long result)
{
	CHECK(exists(result < 0 ? "level0" : "../level9"));
}

static long act_statfs(void)
{
	static struct statfs out;

	return statfs("/", &out);
}

static long act_pipe(void)
{
	return pipe(ends);
}
static void check_pipe(long result)
{
	if (result < 0)
		CHECK_OK(pipe(ends));
	CHECK(write(ends[1], "abc", 3) == 3 && read(ends[0], buffer, 10) == 3);
}

static long act_dup(void)
{
	return dup(1);
}

const struct scenario name_scenarios[] = {
    {"open-create", prepare_none, act_create, check_create, 0, TWICE},
    {"open-existing", prepare_file, act_open, NULL, 0, 0},
    {"mkdir", prepare_none, act_mkdir, check_mkdir, 0, TWICE},
    {"mknod", prepare_none, act_mknod, check_made, 0, TWICE},
    {"link", prepare_file, act_link, check_link, 0, TWICE},
    {"link-directory-grows", prepare_full, act_grow, check_grow, 0, TWICE},
    {"symlink", prepare_file, act_symlink, check_symlink, 0, TWICE},
    {"symlink-long", prepare_long_target, act_symlink_long, check_symlink, 0, TWICE},
    {"symlink-rival", prepare_rival, act_symlink_rival, check_rival, 0, KEEPS_CACHE},
    {"mkdir-rival", prepare_rival, act_mkdir_rival, check_rival, 0, KEEPS_CACHE},
    {"open-symlink", prepare_symlink, act_open_symlink, NULL, 0, 0},
    {"open-through-links", prepare_link_on_the_way, act_open_through_links, NULL, 0, 0},
    {"unlink", prepare_file, act_unlink, check_unlink, 0, TWICE},
    {"unlink-one-of-two", prepare_linked, act_unlink, check_unlink_one, 0, 0},
    {"unlink-large", prepare_large, act_unlink, check_unlink, 0, 0},
    {"rmdir", prepare_directory, act_rmdir, check_rmdir, 0, TWICE},
    {"chdir-deep", prepare_deep, act_chdir, check_chdir, 0, 0},
    {"statfs", NULL, act_statfs, NULL, 0, 0},
    {"pipe", NULL, act_pipe, check_pipe, 0, TWICE},
    {"dup", NULL, act_dup, NULL, 0, 0},
    {NULL, NULL, NULL, NULL, 0, 0},
};
