/* SPDX-License-Identifier: MIT */
/*
 * init: process 1. Opens the console, then runs one command (its arguments, from `run=` at boot) or a shell, takes
 * in the children of dead parents, and ends the machine with the status of what it ran.
 */
#include "ulib.h"

static int open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd == 0 && dup(0) == 1 && dup(0) == 2)
		return 0;
	return fd < 0 ? fd : -EBADF;
}

/* Starts the shell, with the command or interactive; returns its exit status, -1 when it was killed. */
static int run_shell(char *command)
{
	char *const with_command[] = {"sh", "-c", command, NULL};
	char *const interactive[] = {"sh", NULL};
	int status = 0, ended;
	int shell = fork();

	if (shell == 0) {
		int err = exec("/bin/sh", command ? with_command : interactive);
		fprintf(2, "init: /bin/sh: %s\n", error_text(err));
		exit(126);
	}
	if (shell < 0) {
		fprintf(2, "init: fork: %s\n", error_text(shell));
		return 126;
	}
	do
		ended = wait(&status);
	while (ended != shell && ended >= 0);
	return ended < 0 ? 126 : status;
}

int main(int argc, char **argv)
{
	static char command[PATH_MAX];
	size_t length = 0;
	int status;

	if (open_console() < 0)
		poweroff(125);
	for (int i = 1; i < argc && length < sizeof(command); i++)
		length += (size_t)snprintf(command + length, sizeof(command) - length, i > 1 ? " %s" : "%s",
					   argv[i]);
	if (length >= sizeof(command)) {
		fprintf(2, "init: the command is too long\n");
		poweroff(124);
	}
	do
		status = run_shell(argc > 1 ? command : NULL);
	while (argc <= 1 && status == -1);
	/* The machine's exit status has seven bits. */
	status = status >= 0 && status <= 127 ? status : 1;
	poweroff(status);
	exit(status);
}
