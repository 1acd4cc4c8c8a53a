/* SPDX-License-Identifier: MIT */
/*
 * forktest [N]: makes N children (200) that all live at once, or as many as there can be, and waits for them.
 * For the time when memory or processes run out: it is done with little.
 */
#include "ulib.h"

int main(int argc, char **argv)
{
	long wanted = argc > 1 ? parse_number(argv[1]) : 200, made = 0, good = 0;
	int hold[2], status, pid = 0;
	char c;

	if (pipe(hold) < 0)
		die("forktest: no pipe");
	for (; made < wanted && (pid = fork()) > 0; made++)
		;
	if (pid == 0 && made < wanted) {
		/* A child lives until the parent closes its end. */
		close(hold[1]);
		read(hold[0], &c, 1);
		exit(7);
	}
	close(hold[1]);
	while (wait(&status) > 0)
		good += status == 7;
	printf("forktest: %ld children, %ld came back%s%s\n", made, good, pid < 0 ? "; then fork said: " : "",
	       pid < 0 ? error_text(pid) : "");
	return good != made;
}
