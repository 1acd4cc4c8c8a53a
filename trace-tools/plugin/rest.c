/* SPDX-License-Identifier: MIT
 *
 * rest: see rest.h. The handler only wakes a thread of ours: QEMU's main loop, which the signal interrupts, must go on, or
 * the guest could not come to rest.
 */
#include "rest.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REST_SECONDS 2
#define LOOK_NS 10000000 /* between two looks */
#define IDLE_NS 500000   /* of a look, in which all of QEMU computes no more: nothing runs */
#define BUSY_NS                                                                                              \
	200000000 /* computed since the signal: long enough for millions of instructions on each hart */
#define IDLE_LOOKS 2

static struct sigaction before;
static siginfo_t asked_by;
static sem_t asked;
static volatile sig_atomic_t nr_asked;
static bool passed_on; /* a signal was: by the thread, or by a second signal, which does not wait for it */

static int64_t clock_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The state of a thread; its name, which may hold anything, ends at the last parenthesis. */
static bool thread_runs(const char *tid)
{
	char path[300], text[1024];

	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", tid);
	FILE *file = fopen(path, "re");
	size_t nr = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		fclose(file);
	text[nr] = 0;
	const char *behind = strrchr(text, ')');
	return behind && behind[1] && behind[2] == 'R';
}

/* How long a thread computes says nothing on a host that is busy with others; whether it wants to does. */
static bool others_run(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	bool run = false;

	while (dir && !run && (entry = readdir(dir)))
		run = entry->d_name[0] != '.' && atol(entry->d_name) != syscall(SYS_gettid) &&
		      thread_runs(entry->d_name);
	if (dir)
		closedir(dir);
	return run;
}

static void await_rest(void)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	int64_t busy = clock_of(CLOCK_PROCESS_CPUTIME_ID) + BUSY_NS,
		deadline = clock_of(CLOCK_MONOTONIC) + REST_SECONDS * 1000000000LL;

	for (unsigned idle = 0; idle < IDLE_LOOKS && nr_asked == 1;) {
		nanosleep(&look, NULL);
		idle = others_run() ? 0 : idle + 1;
		if (clock_of(CLOCK_PROCESS_CPUTIME_ID) >= busy || clock_of(CLOCK_MONOTONIC) >= deadline)
			return;
	}
}

static void *wait_and_pass_on(void *arg)
{
	while (sem_wait(&asked))
		continue;
	await_rest();
	if (!__atomic_exchange_n(&passed_on, true, __ATOMIC_ACQ_REL))
		before.sa_sigaction(SIGTERM, &asked_by, NULL);
	return NULL;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	if (nr_asked++) {
		__atomic_store_n(&passed_on, true, __ATOMIC_RELEASE);
		before.sa_sigaction(number, info, context);
		return;
	}
	asked_by = *info;
	sem_post(&asked);
}

void rest_init(void)
{
	struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	sigset_t all, mask;
	pthread_t thread;

	if (sigaction(SIGTERM, NULL, &before) || !(before.sa_flags & SA_SIGINFO) || sem_init(&asked, 0, 0))
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	bool started = !pthread_create(&thread, NULL, wait_and_pass_on, NULL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (!started)
		return;
	pthread_detach(thread);
	ours.sa_mask = before.sa_mask;
	sigaction(SIGTERM, &ours, NULL);
}
