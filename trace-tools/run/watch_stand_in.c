/* SPDX-License-Identifier: MIT */
/*
 * watch_stand_in: the `qemu-system-riscv64` that stands first in PATH under a watch. See watch.h.
 *
 * It decides by the words alone: a call with -kernel boots one. Everything it leaves is in the run folder before QEMU
 * begins; what it cannot trace it refuses with a sentence, since a machine that runs untraced would be taken for one
 * that leaks nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/util.h"
#include "ctf/manifest.h"
#include "plugin.h"
#include "watch.h"
#include "watch_disks.h"
#include "watch_kernel.h"

bool watch_is_stand_in(const char *program_name)
{
	const char *slash = strrchr(program_name, '/');

	return !strcmp(slash ? slash + 1 : program_name, WATCH_QEMU) && getenv(WATCH_ENV_STAND_IN);
}

/* ---- QEMU ---- */

/* This program, under whatever name: a watch inside a watch has two stand-ins in PATH, and each would take the other for QEMU. */
static bool is_this_program(const char *file)
{
	struct stat there, self;

	return !stat(file, &there) && !stat("/proc/self/exe", &self) && there.st_dev == self.st_dev &&
	       there.st_ino == self.st_ino;
}

/* The first program of that name in PATH that is not ours. Caller frees; NULL: there is none. */
static char *find_qemu(void)
{
	const char *ours = getenv(WATCH_ENV_STAND_IN);
	char *path = xstrdup(getenv("PATH") ? getenv("PATH") : ""), *rest = path, *folder;

	while ((folder = strsep(&rest, ":"))) {
		char *file = xasprintf("%s/" WATCH_QEMU, *folder ? folder : ".");
		if (strcmp(folder, ours) && !access(file, X_OK) && !is_this_program(file)) {
			free(path);
			return file;
		}
		free(file);
	}
	free(path);
	return NULL;
}

/* ---- the words of the call ---- */

static bool is_option(const char *word, const char *name)
{
	return !strcmp(word[0] == '-' && word[1] == '-' ? word + 2
		       : word[0] == '-'                 ? word + 1
							: word,
		       name) &&
	       word[0] == '-';
}

/* The word behind the last -NAME; NULL: there is none. */
static const char *word_behind(int argc, char **argv, const char *name)
{
	const char *found = NULL;

	for (int i = 1; i + 1 < argc; i++) {
		if (is_option(argv[i], name))
			found = argv[++i];
	}
	return found;
}

/* ---- the run folder ---- */

/* The user's name for the first machine, then NAME-2, NAME-3: made here, so that two machines never share one. */
static char *make_run_folder(void)
{
	const char *wanted = getenv(WATCH_ENV_FOLDER);
	char *parent = xstrdup(wanted), *slash = strrchr(parent, '/');

	if (slash && slash != parent) {
		*slash = 0;
		if (make_folders(parent))
			die("%s: %s", parent, strerror(errno));
	}
	free(parent);
	for (unsigned n = 1; n < 10000; n++) {
		char *folder = n == 1 ? xstrdup(wanted) : xasprintf("%s-%u", wanted, n);
		if (!mkdir(folder, 0777))
			return folder;
		if (errno != EEXIST)
			die("%s: %s", folder, strerror(errno));
		free(folder);
	}
	die("%s: there are too many runs of that name", wanted);
}

/* The kernel's files are what readers take names and a verdict from: they must be those of this machine. */
static void identify_kernel(struct manifest *manifest, const char *folder)
{
	char *elf = xasprintf("%s/kernel/kernel.elf", folder),
	     *description = xasprintf("%s/kernel/kernel.kd", folder);

	if (!manifest_of_file(&manifest->kernel_elf, elf))
		die("%s: %s", elf, strerror(errno));
	if (!manifest_of_file(&manifest->kernel_description, description))
		die("%s: %s", description, strerror(errno));
	free(elf);
	free(description);
}

static void write_start(const char *folder, char **argv, const char *qemu, const char *kernel)
{
	char *path = xasprintf("%s/" WATCH_START_FILE, folder), text[64], *cwd = getcwd(NULL, 0);
	struct manifest manifest = {0};
	identify_kernel(&manifest, folder);
	FILE *file = fopen(path, "w");
	time_t now = time(NULL);
	struct json json;

	if (!file)
		die("%s: %s", path, strerror(errno));
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", localtime(&now));
	json_begin(&json, file);
	json_string(&json, "started", text);
	json_int(&json, "started_seconds", (int64_t)now);
	json_string(&json, "folder", cwd);
	json_string(&json, "qemu_program", qemu);
	json_string(&json, "kernel", kernel);
	json_open(&json, "qemu", '[');
	for (char **word = argv; *word; word++)
		json_string(&json, NULL, *word);
	json_close(&json, ']');
	manifest_write_kernel(&manifest, &json);
	json_end(&json);
	if (fclose(file))
		die("%s: %s", path, strerror(errno));
	free(path);
	free(cwd);
}

static bool is_elf(const char *path)
{
	char magic[4] = "";
	FILE *file = fopen(path, "rb");
	bool good =
	    file && fread(magic, 1, sizeof(magic), file) == sizeof(magic) && !memcmp(magic, "\177ELF", 4);

	if (file)
		fclose(file);
	return good;
}

/* Whatever becomes of this call, the command did start a machine: a byte for each, as one that is refused gets no run. */
static void count_call(void)
{
	char *calls = xasprintf("%s/" WATCH_CALLS, getenv(WATCH_ENV_STAND_IN));
	int fd = open(calls, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("%s: %s", calls, strerror(errno));
	close(fd);
	free(calls);
}

/* In one write: several machines may start at once. */
static void tell_watch(const char *folder)
{
	char *list = xasprintf("%s/runs", getenv(WATCH_ENV_STAND_IN));
	char *line = xasprintf("%d %s\n", (int)getpid(), folder);
	int fd = open(list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		die("%s: %s", list, strerror(errno));
	close(fd);
	free(list);
	free(line);
}

/* Tells the files of this machine from those of another: never 0. */
static uint32_t choose_boot_id(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint32_t)hash_mix((uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid()) |
	       1;
}

static enum watch_follow follow_wanted(void)
{
	const char *follow = getenv(WATCH_ENV_FOLLOW);

	return follow ? (enum watch_follow)atoi(follow) : WATCH_FOLLOW_NOT;
}

/* Following pointers needs the harts to run in turns. */
static char **words_with_plugin(int argc, char **argv, const char *plugin, const char *folder,
				uint32_t boot_id)
{
	char **words = xcalloc((size_t)argc + 5, sizeof(char *));
	bool in_turns = word_behind(argc, argv, "icount") || word_behind(argc, argv, "accel");

	memcpy(words, argv, (size_t)argc * sizeof(char *));
	words[argc] = xstrdup("-plugin");
	words[argc + 1] = xasprintf("%s,out=%s,hooks=%s/kernel/hooks,boot=%u%s", plugin, folder, folder,
				    boot_id, getenv(WATCH_ENV_WRITES) ? ",check-writes=on" : "");
	if (follow_wanted() && !in_turns) {
		words[argc + 2] = xstrdup("-accel");
		words[argc + 3] = xstrdup("tcg,thread=single");
	}
	return words;
}

int watch_stand_in(int argc, char **argv)
{
	const char *boots = word_behind(argc, argv, "kernel"), *elf = getenv(WATCH_ENV_ELF);
	char *qemu = find_qemu(), *error;

	if (!qemu) {
		warn(WATCH_QEMU " is not in PATH: install it (Debian: qemu-system-misc)");
		return 127;
	}
	if (boots) {
		count_call();
		char *plugin = plugin_find_or_die(), *folder = make_run_folder();
		if (strchr(folder, ','))
			die("%s: QEMU takes a comma for the end of a plugin's option: name another folder",
			    folder);
		uint32_t boot_id = choose_boot_id();
		error = elf ? watch_other_kernel(elf, boots) : NULL;
		if (error)
			die("%s", error);
		error = watch_prepare_kernel(folder, elf ? elf : boots, getenv(WATCH_ENV_DESCRIPTION),
					     getenv(WATCH_ENV_SYMBOLS), follow_wanted(), boot_id);
		if (error)
			die("%s%s", error,
			    elf || is_elf(boots)
				? ""
				: ": what QEMU boots has no symbols; --elf FILE names the kernel with "
				  "them");
		watch_keep_disks(folder, argc, argv);
		write_start(folder, argv, qemu, elf ? elf : boots);
		tell_watch(folder);
		argv = words_with_plugin(argc, argv, plugin, folder, boot_id);
	}
	/* A QEMU that is started by this one is none of ours. */
	execv(qemu, argv);
	warn("%s: %s", qemu, strerror(errno));
	return 127;
}
