/* SPDX-License-Identifier: MIT */
/* watch_quiet: see watch_quiet.h. */
#include "watch_quiet.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

/* A fifth of a second: four harts that spin have each run millions of instructions then. */
#define QUIET_TICKS ((uint64_t)sysconf(_SC_CLK_TCK) / 5)

/* State and ticks of a thread; its name, which may hold anything, ends at the last parenthesis. */
static bool thread_runs(const char *path, uint64_t *ticks)
{
	char text[1024], state;
	uint64_t user, system;
	FILE *file = fopen(path, "r");
	size_t nr = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[nr] = 0;
	const char *behind = strrchr(text, ')');
	if (!behind || sscanf(behind + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
			      &state, &user, &system) != 3)
		return false;
	*ticks += user + system;
	return state == 'R';
}

bool watch_process_idle(pid_t pid, uint64_t *ticks)
{
	char *folder = xasprintf("/proc/%d/task", (int)pid);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool idle = true;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		char *path = xasprintf("%s/%s/stat", folder, entry->d_name);
		if (thread_runs(path, ticks))
			idle = false;
		free(path);
	}
	if (dir)
		closedir(dir);
	free(folder);
	return idle;
}

void watch_quiet_begin(struct watch_quiet *quiet, uint64_t ticks)
{
	*quiet = (struct watch_quiet){.since = ticks};
}

bool watch_quiet_look(struct watch_quiet *quiet, bool idle, uint64_t ticks)
{
	quiet->idle = idle ? quiet->idle + 1 : 0;
	return quiet->idle >= 2 || ticks >= quiet->since + QUIET_TICKS;
}
