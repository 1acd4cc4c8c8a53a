/* SPDX-License-Identifier: MIT */
/* plugin: see plugin.h. */
#include "plugin.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

char *plugin_find(void)
{
	static const char *const places[] = {PLUGIN_FILE, "../lib/pagetrail/" PLUGIN_FILE};
	char self[4096];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[bytes > 0 ? bytes : 0] = 0;
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *file = xasprintf("%s/%s", self, places[i]);
		if (!access(file, R_OK))
			return file;
		free(file);
	}
	return NULL;
}

char *plugin_find_or_die(void)
{
	char *file = plugin_find();

	if (!file)
		die("%s is not beside this program: `make tools` builds it, `make install` installs it with "
		    "pagetrail",
		    PLUGIN_FILE);
	return file;
}
