/* SPDX-License-Identifier: MIT */
/*
 * stressfs [WRITERS [ROUNDS]]: several processes write, read back and remove files of their own in /tmp, all at once.
 */
#include "ulib.h"

static char out[3000], in[3000];

static void work(int writer, long rounds)
{
	char path[32];

	snprintf(path, sizeof(path), "/tmp/stress%d", writer);
	for (long round = 0; round < rounds; round++) {
		memset(out, 'a' + (int)((writer + round) % 26), sizeof(out));
		int fd = creat(path);
		if (fd < 0)
			die("stressfs: %s: %s", path, error_text(fd));
		for (int i = 0; i < 20; i++)
			if (write(fd, out, sizeof(out)) != (ssize_t)sizeof(out))
				die("stressfs: %s: write failed", path);
		lseek(fd, 0, SEEK_SET);
		for (int i = 0; i < 20; i++)
			if (read_full(fd, in, sizeof(in)) != (ssize_t)sizeof(in) ||
			    memcmp(in, out, sizeof(in)) != 0)
				die("stressfs: %s: reads back wrong", path);
		close(fd);
		if (unlink(path) < 0)
			die("stressfs: %s: unlink failed", path);
	}
}

int main(int argc, char **argv)
{
	long writers = argc > 1 ? parse_number(argv[1]) : 4;
	long rounds = argc > 2 ? parse_number(argv[2]) : 5;
	int status, failed = 0;

	for (int i = 0; i < writers; i++) {
		int pid = fork();
		if (pid < 0)
			die("stressfs: fork: %s", error_text(pid));
		if (pid == 0) {
			work(i, rounds);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	printf("stressfs: %ld writers, %ld rounds: %s\n", writers, rounds, failed ? "FAILED" : "OK");
	return failed;
}
