/* SPDX-License-Identifier: MIT */
/*
 * process: see process.h.
 *
 * A process that begins while /proc is read is not seen, but its parent is, unless that has been killed: then the new one is a
 * child of the subreaper. So it is looked again until nobody is left.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

struct process {
	pid_t pid, parent;
	bool descends;
};

struct processes {
	struct process *all;
	size_t nr, capacity;
};

/* A process is seldom our child: its descriptor says when it ends. */
bool process_await_end(pid_t pid, int milliseconds)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return errno == ESRCH;
	bool ended = poll(&poll_fd, 1, milliseconds) == 1;
	close(fd);
	return ended;
}

/* "PID (NAME) STATE PARENT ...", where NAME may be anything. A zombie has ended. */
static void read_process(struct processes *list, const char *name)
{
	char *path = xasprintf("/proc/%s/stat", name), *text = file_read_all(path, NULL);
	const char *behind = text ? strrchr(text, ')') : NULL;
	char state;
	int parent;

	if (behind && sscanf(behind + 1, " %c %d", &state, &parent) == 2 && state != 'Z' && state != 'X')
		ARRAY_PUSH(list->all, list->nr, list->capacity) =
		    (struct process){.pid = (pid_t)atol(name), .parent = parent};
	free(path);
	free(text);
}

static struct processes read_processes(void)
{
	struct processes list = {0};
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		die("/proc: %s", strerror(errno));
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			read_process(&list, entry->d_name);
	}
	closedir(proc);
	return list;
}

static bool is_parent(const struct processes *list, pid_t parent)
{
	for (size_t i = 0; i < list->nr; i++) {
		if (list->all[i].descends && list->all[i].pid == parent)
			return true;
	}
	return parent == getpid();
}

static size_t mark_descendants(struct processes *list)
{
	size_t nr = 0, before;

	do {
		before = nr;
		for (size_t i = 0; i < list->nr; i++) {
			struct process *process = &list->all[i];
			if (!process->descends && is_parent(list, process->parent)) {
				process->descends = true;
				nr++;
			}
		}
	} while (nr != before);
	return nr;
}

void process_kill_descendants(void)
{
	size_t nr;

	do {
		struct processes list = read_processes();
		nr = mark_descendants(&list);
		for (size_t i = 0; i < list.nr; i++) {
			if (list.all[i].descends)
				kill(list.all[i].pid, SIGKILL);
		}
		for (size_t i = 0; i < list.nr; i++) {
			if (list.all[i].descends)
				process_await_end(list.all[i].pid, -1);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		free(list.all);
	} while (nr);
}
