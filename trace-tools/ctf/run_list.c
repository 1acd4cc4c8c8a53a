/* SPDX-License-Identifier: MIT */
/* run_list: the runs in a folder that is none itself. See run.h. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/util.h"
#include "run_priv.h"

#define LISTED_MAX 12

bool run_is_folder(const char *folder)
{
	char *trace = xasprintf("%s/trace", folder);
	struct stat about;
	bool is = !stat(trace, &about) && S_ISDIR(about.st_mode);

	free(trace);
	return is;
}

static bool is_run(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	bool is = name[0] != '.' && run_is_folder(path);

	free(path);
	return is;
}

static bool ends_in_slash(const char *folder)
{
	return folder[0] && folder[strlen(folder) - 1] == '/';
}

char *run_list_beneath(const char *folder)
{
	struct dirent **names = NULL;
	int nr = scandir(folder, &names, NULL, alphasort);
	unsigned nr_runs = 0;
	struct text_buffer buffer;
	FILE *out = text_begin(&buffer);

	/* Names are mostly times: the last ones are the newest. */
	for (int i = nr - 1; i >= 0; i--) {
		if (is_run(folder, names[i]->d_name) && nr_runs++ < LISTED_MAX)
			fprintf(out, "\n    %s%s%s", folder, ends_in_slash(folder) ? "" : "/",
				names[i]->d_name);
		free(names[i]);
	}
	free(names);
	if (nr_runs > LISTED_MAX)
		fprintf(out, "\n    and %u more", nr_runs - LISTED_MAX);
	char *text = text_end(&buffer);
	if (nr_runs)
		return text;
	free(text);
	return NULL;
}
