/* SPDX-License-Identifier: MIT */
/* What leaked_sites_differ says of two runs: leaked_sites NAME PAGES ... -- NAME PAGES ... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "report/leaked_sites.h"

int main(int argc, char **argv)
{
	struct leaked_sites sides[2] = {{0}};
	int side = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--")) {
			side = 1;
			continue;
		}
		struct leaked_sites *to = &sides[side];
		char *name = xstrdup(argv[i++]);
		ARRAY_PUSH(to->all, to->nr, to->capacity) =
		    (struct leaked_site){name, strtoull(argv[i], NULL, 10)};
	}
	char *text = leaked_sites_differ(&sides[0], &sides[1]);
	puts(text ? text : "the same");
	free(text);
	leaked_sites_free(&sides[0]);
	leaked_sites_free(&sides[1]);
	return 0;
}
