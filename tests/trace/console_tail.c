/* SPDX-License-Identifier: MIT */
/* What run/console.c shows of a console whose guest failed: standard input is the console. */
#include <stdio.h>

#include "run/console.h"

int main(void)
{
	static struct console console = {.view = CONSOLE_NOTHING};
	char bytes[100];
	size_t nr;

	while ((nr = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
		console_take(&console, bytes, nr);
	console_print_tail(&console, stdout);
	return 0;
}
