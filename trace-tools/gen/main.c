/* SPDX-License-Identifier: MIT */
/* Prints what is generated from the kernel's tables: `tables metadata|python|markdown|man`. */
#include <stdio.h>
#include <string.h>

#include "ctf/tsdl.h"
#include "gen.h"

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "metadata"))
		tsdl_write(stdout, &(struct trace_env){.stack_base = PHYS_OFFSET});
	else if (argc == 2 && !strcmp(argv[1], "python"))
		python_tables_write(stdout);
	else if (argc == 2 && !strcmp(argv[1], "markdown"))
		markdown_tables_write(stdout);
	else if (argc == 2 && !strcmp(argv[1], "man"))
		man5_write(stdout);
	else
		return fprintf(stderr, "usage: %s metadata|python|markdown|man\n", argv[0]), 2;
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
