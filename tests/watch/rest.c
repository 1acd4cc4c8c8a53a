/* SPDX-License-Identifier: MIT */
/*
 * A process in QEMU's place, for trace-tools/plugin/rest.c: a thread computes as a hart does, SIGTERM comes, and what QEMU's
 * handler would do is done when?
 *
 *	rest MILLISECONDS SIGNALS	the hart computes so long (0: for ever); so many signals are sent, one behind the other
 *
 * Says "at rest" or "running", and the milliseconds that were computed since the signal.
 */
#include "plugin/rest.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long limit_ms, asked_ms;
static volatile bool at_rest;
static pthread_barrier_t begun;

static long computed_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	char text[64];
	int bytes = snprintf(text, sizeof(text), "%s %ld\n", at_rest ? "at rest" : "running",
			     computed_ms(CLOCK_PROCESS_CPUTIME_ID) - asked_ms);

	_exit(info->si_pid == getpid() && write(STDOUT_FILENO, text, (size_t)bytes) == bytes ? 0 : 1);
}

static void *hart(void *arg)
{
	pthread_barrier_wait(&begun);
	while (!limit_ms || computed_ms(CLOCK_THREAD_CPUTIME_ID) < limit_ms)
		continue;
	at_rest = true;
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	pthread_t thread;

	limit_ms = atol(argv[1]);
	pthread_barrier_init(&begun, NULL, 2);
	sigaction(SIGTERM, &action, NULL);
	pthread_create(&thread, NULL, hart, NULL);
	rest_init();
	pthread_barrier_wait(&begun);
	asked_ms = computed_ms(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = atoi(argv[2]); i; i--)
		kill(getpid(), SIGTERM);
	while (true)
		pause();
}
