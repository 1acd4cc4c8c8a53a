/* SPDX-License-Identifier: MIT */
/*
 * What every host test may use: a kernel's memory side brought up on the host, panics that a test can expect,
 * the text that kprintf printed, and random numbers whose seed replays a failure.
 *
 *     HOST_SEED=N build/host/test_page      runs with that seed; a failing run prints its own
 */
#ifndef HOST_HOST_TEST_H
#define HOST_HOST_TEST_H

/* What cmocka.h needs before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <kernel/arch.h>
#include <kernel/lib.h>
#include <kernel/types.h>

/*
 * RAM of this size, the trace at its start, struct pages behind it, the rest given to the buddy, as boot does it.
 * Call once in a program (slab caches remember their pages), or again before any cache was used.
 */
void host_boot(u64 ram_bytes, u32 nr_harts_);
/* The same, up to and including the trace, without pages; pages of memory for the trace are size_bytes. */
void host_boot_trace(u64 ram_bytes, size_t trace_bytes, u32 nr_harts_);
/* fail-nth: the n-th allocation from now on is refused (0: none). host_nr_allocations counts those asked. */
void host_fail_nth(u64 n);
extern u64 host_nr_allocations;
extern bool host_failed; /* the n-th came */

/*
 * if (HOST_PANICS()) { ...the text is in host_panic_text... } else { code that must panic; fail(); }
 */
extern jmp_buf host_panic_jump;
extern bool host_panic_expected;
extern char host_panic_text[256];
#define HOST_PANICS() (host_panic_expected = true, setjmp(host_panic_jump) != 0)

/* What kprintf printed since the last host_log_clear; cut at its size. */
extern char host_log[16384];
void host_log_clear(void);

u64 host_seed(void); /* the seed of this run; printed when a test fails */
u64 host_random(void);
static inline u64 host_random_below(u64 limit)
{
	return host_random() % limit;
}
/* At the start of each random test: its sequence depends on the seed and on nothing run before it. */
void host_random_start(void);

/* NULL is success: the text of a broken invariant is printed. */
#define assert_sound(check)                                                                                  \
	do {                                                                                                 \
		const char *broken_ = (check);                                                               \
		if (broken_)                                                                                 \
			fail_msg("%s (HOST_SEED=%lu)", broken_, (unsigned long)host_seed());                 \
	} while (0)

#endif
