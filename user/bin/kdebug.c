/* SPDX-License-Identifier: MIT */
/* kdebug OPERATION [NUMBER]: one kdebug system call from the shell; prints what it returns. Status 1 on an
 * error. */
#include "ulib.h"

static const struct {
	const char *name;
	enum kdebug_op op;
} operations[] = {
    {"leak-pages", KDEBUG_LEAK_PAGES},
    {"leak-objects", KDEBUG_LEAK_OBJECTS},
    {"free-leaked", KDEBUG_FREE_LEAKED},
    {"drop-caches", KDEBUG_DROP_CACHES},
    {"audit", KDEBUG_AUDIT},
    {"trace-mask", KDEBUG_TRACE_MASK},
    {"bench", KDEBUG_BENCH},
    {"panic", KDEBUG_PANIC}, /* NUMBER: enum kdebug_panic */
};

/* kdebug poweroff-race N: N processes that all end the machine at once. */
static int poweroff_race(long nr)
{
	int ends[2];
	char byte;

	if (pipe(ends) < 0)
		return 1;
	for (long i = 0; i < nr; i++) {
		int pid = fork();

		if (pid == 0) {
			close(ends[1]);
			read(ends[0], &byte, 1); /* until the last of them is there */
			poweroff(7);
			exit(1);
		}
		if (pid < 0)
			die("kdebug: fork: %s", error_text(pid));
	}
	close(ends[1]);
	for (;;)
		wait(NULL);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "poweroff-race") == 0)
		return poweroff_race(parse_number(argv[2]));
	for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(operations); i++) {
		if (strcmp(argv[1], operations[i].name) != 0)
			continue;
		long result = kdebug(operations[i].op, argc > 2 ? parse_number(argv[2]) : 0);
		if (result < 0)
			die("kdebug: %s: %s", argv[1], error_text(result));
		printf("%ld\n", result);
		return 0;
	}
	fprintf(2, "usage: kdebug OPERATION [NUMBER], one of:");
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		fprintf(2, " %s", operations[i].name);
	fprintf(2, "\n");
	return 2;
}
