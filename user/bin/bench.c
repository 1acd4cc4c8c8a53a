/* SPDX-License-Identifier: MIT */
/*
 * bench                 what one operation costs in the kernel, as KDEBUG_BENCH measures it
 * bench run CMD ARG...  runs a command and counts the instructions of the machine meanwhile
 * bench clock           the guest's clock, which begins when the machine is switched on, in microseconds
 *
 * All print "bench NAME NUMBER"; the first two guest instructions, the first for 1000 operations. Those mean something
 * with one hart under -icount only (kernel/boot/bench.c); `make bench` sees to that.
 */
#include "ulib.h"

static uint64_t instructions(void)
{
	uint64_t count;

	__asm__ volatile("csrr %0, instret" : "=r"(count));
	return count;
}

static int bench_operations(void)
{
	static const struct {
		const char *name;
		enum kdebug_bench which;
	} operations[] = {
	    {"record_bare", BENCH_RECORD_BARE}, {"record_stack", BENCH_RECORD_STACK},
	    {"page_pair", BENCH_PAGE_PAIR},     {"ref_pair", BENCH_REF_PAIR},
	    {"poison", BENCH_POISON},
	};

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		long cost = kdebug(KDEBUG_BENCH, operations[i].which);
		if (cost < 0)
			die("bench: %s: %s", operations[i].name, error_text(cost));
		printf("bench %s %ld\n", operations[i].name, cost);
	}
	return 0;
}

static int bench_clock(void)
{
	uint64_t ticks;

	__asm__ volatile("rdtime %0" : "=r"(ticks));
	printf("bench clock %lu\n", ticks / 10);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return bench_operations();
	if (argc == 2 && strcmp(argv[1], "clock") == 0)
		return bench_clock();
	if (strcmp(argv[1], "run") != 0 || argc < 3)
		die("usage: bench [clock | run COMMAND [ARG...]]");
	uint64_t before = instructions();
	int status = run(argv + 2);
	printf("bench run %lu\n", instructions() - before);
	return status;
}
