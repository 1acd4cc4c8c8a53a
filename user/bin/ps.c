/* SPDX-License-Identifier: MIT */
/* ps: the processes and kernel threads, from /proc/PID/status. */
#include "ulib.h"

/* The text behind `Word:` at the start of a line, without blanks before it; it runs to the end of the line. */
static void field(const char *text, const char *word, char *value, size_t size_bytes)
{
	size_t length = strlen(word), n = 0;

	for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) {
		if (strncmp(text, word, length) != 0 || text[length] != ':')
			continue;
		for (text += length + 1; *text == '\t' || *text == ' '; text++)
			;
		while (text[n] && text[n] != '\n' && n + 1 < size_bytes) {
			value[n] = text[n];
			n++;
		}
		break;
	}
	value[n] = 0;
}

static void show(const char *pid)
{
	char path[64], name[20], state[4], parent[12], size[16], resident[16];

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	char *text = read_file(path, NULL);
	if (!text)
		return; /* it ended meanwhile */
	field(text, "Name", name, sizeof(name));
	field(text, "State", state, sizeof(state));
	field(text, "PPid", parent, sizeof(parent));
	field(text, "VmSize", size, sizeof(size));
	field(text, "VmRSS", resident, sizeof(resident));
	state[1] = 0;
	printf("%5s %5s  %s %12s %12s  %s\n", pid, parent, state, size, resident, name);
	free(text);
}

int main(void)
{
	struct dirent *entry;
	struct dir dir;

	int err = dir_open(&dir, "/proc");
	if (err < 0)
		die("ps: /proc: %s", error_text(err));
	printf("  PID  PPID  S         SIZE     RESIDENT  NAME\n");
	while ((entry = dir_read(&dir)) != NULL)
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			show(entry->d_name);
	dir_close(&dir);
	return 0;
}
