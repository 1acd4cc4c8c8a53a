/* SPDX-License-Identifier: MIT */
/*
 * The machine that host tests run on: see include/host/arch_host.h and include/host/host_test.h.
 */
#include <host/host_test.h>
#include <kernel/page.h>
#include <kernel/slab.h>
#include <kernel/spinlock.h>
#include <kernel/trace.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

u64 host_phys_offset;
u64 host_time;
__thread u32 host_hart;
__thread void (*host_irq_hook)(void);
u32 nr_harts = 1;
struct hart harts[NR_HARTS_MAX];
u64 kernel_root_pa;
paddr_t host_active_roots[NR_HARTS_MAX];
const char *host_bootargs;
bool host_world_quiet = true;
u32 host_world_stopped;
uaddr_t host_fault_at;

static void *ram;
static u64 ram_size;

/* ---- RAM ---- */

void host_ram_init(u64 size_bytes)
{
	host_ram_free();
	ram = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		abort();
	ram_size = size_bytes;
	memset(ram, 0xa5, size_bytes);
	host_phys_offset = (u64)ram - RAM_BASE;
	for (u32 i = 0; i < NR_HARTS_MAX; i++)
		harts[i] = (struct hart){.index = i, .hart_id = i};
	memset(host_active_roots, 0, sizeof(host_active_roots));
}

void host_ram_free(void)
{
	if (ram)
		munmap(ram, ram_size);
	ram = NULL;
}

/* ---- processor ---- */

u32 host_chaos;

void host_let_others_run(void)
{
	static __thread u32 looks;
	void (*hook)(void) = host_irq_hook;

	host_irq_hook = NULL;
	if (hook)
		hook();
	if (host_chaos && ++looks % host_chaos == 0)
		sched_yield();
}

u32 host_relax_ticks = 1;

__thread void (*host_relax_hook)(void);

void arch_relax(void)
{
	void (*hook)(void) = host_relax_hook;

	host_relax_hook = NULL;
	if (hook)
		hook();
	__atomic_add_fetch(&host_time, host_relax_ticks, __ATOMIC_RELAXED);
	sched_yield();
}

void arch_stop_world(bool *quiet)
{
	*quiet = host_world_quiet;
	if (host_world_stopped++)
		panic("the world is stopped already");
}

void arch_start_world(void)
{
	if (host_world_stopped-- != 1)
		panic("the world was not stopped");
}

static __thread u32 stack_frames[16];
static __thread u32 nr_stack_frames;

bool arch_unwind_next(struct arch_unwind *unwind, u64 *address)
{
	if (unwind->nr_found == nr_stack_frames)
		return false;
	*address = stack_frames[unwind->nr_found++];
	return true;
}

__attribute__((no_sanitize("address"), noinline)) u64 arch_caller(const void *frame)
{
	return ((const u64 *)frame)[-1];
}

void host_set_stack(const u32 *frames, u32 nr_frames)
{
	nr_stack_frames = MIN(nr_frames, ARRAY_SIZE(stack_frames));
	for (u32 i = 0; i < nr_stack_frames; i++)
		stack_frames[i] = frames[i];
}

bool bootarg(const char *key, char *value, size_t size_bytes)
{
	size_t key_bytes = strlen(key);

	for (const char *at = host_bootargs; at && *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");

		if (length < key_bytes || strncmp(at, key, key_bytes) ||
		    (length > key_bytes && at[key_bytes] != '='))
			continue;
		if (value)
			snprintf(value, size_bytes, "%.*s", (int)(length - MIN(length, key_bytes + 1)),
				 at + MIN(length, key_bytes + 1));
		return true;
	}
	return false;
}

/* ---- the kernel's own mappings: a short list ---- */

static struct {
	u64 va;
	paddr_t pa;
} mapped[4096];
static bool window_table_made;

paddr_t host_kernel_mapped(u64 va)
{
	for (u32 i = 0; i < ARRAY_SIZE(mapped); i++)
		if (mapped[i].va == va)
			return mapped[i].pa;
	return 0;
}

int arch_kernel_map_page(u64 va, paddr_t pa, paddr_t (*alloc_page)(void))
{
	if (host_kernel_mapped(va))
		panic("kernel page 0x%lx mapped twice", (unsigned long)va);
	if (!window_table_made && !alloc_page())
		return -12;
	window_table_made = true;
	for (u32 i = 0; i < ARRAY_SIZE(mapped); i++) {
		if (mapped[i].va)
			continue;
		mapped[i].va = va;
		mapped[i].pa = pa;
		return 0;
	}
	return -12;
}

void arch_kernel_unmap_page(u64 va)
{
	for (u32 i = 0; i < ARRAY_SIZE(mapped); i++) {
		if (mapped[i].va != va)
			continue;
		mapped[i].va = 0;
		mapped[i].pa = 0;
		return;
	}
	panic("kernel page 0x%lx is not mapped", (unsigned long)va);
}

/* ---- panic and messages ---- */

jmp_buf host_panic_jump;
bool host_panic_expected;
char host_panic_text[256];
char host_log[16384];
static size_t log_length;

void host_log_clear(void)
{
	log_length = 0;
	host_log[0] = 0;
}

static void log_sink(const char *bytes, size_t size_bytes)
{
	size_t room = sizeof(host_log) - 1 - log_length;
	size_t take = MIN(size_bytes, room);

	memcpy(host_log + log_length, bytes, take);
	log_length += take;
	host_log[log_length] = 0;
	if (getenv("HOST_VERBOSE"))
		fwrite(bytes, 1, size_bytes, stderr);
}

static void __attribute__((noreturn)) host_panic(const char *fmt, va_list args)
{
	vsnprintf(host_panic_text, sizeof(host_panic_text), fmt, args);
	if (host_panic_expected) {
		host_panic_expected = false;
		for (u32 i = 0; i < NR_HARTS_MAX; i++)
			harts[i].irq_off_depth = 0, harts[i].ranks_held = 0;
		longjmp(host_panic_jump, 1);
	}
	fprintf(stderr, "panic: %s (HOST_SEED=%lu)\n", host_panic_text, (unsigned long)host_seed());
	abort();
}

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	host_panic(fmt, args);
}

void panic_about(const void *subject, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	host_panic(fmt, args);
}

/* ---- random numbers (splitmix64: public domain algorithm, Steele, Lea, Flood 2014) ---- */

static u64 seed, random_state;

u64 host_seed(void)
{
	const char *given = getenv("HOST_SEED");

	if (!seed)
		seed = given ? strtoull(given, NULL, 0) : (u64)time(NULL) * 2654435761u % 1000000007u + 1;
	return seed;
}

void host_random_start(void)
{
	random_state = host_seed();
}

u64 host_random(void)
{
	u64 z = (random_state += 0x9e3779b97f4a7c15UL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
	return z ^ (z >> 31);
}

/* ---- boot ---- */

u64 host_nr_allocations;
bool host_failed;
static u64 fail_at;

void host_fail_nth(u64 n)
{
	host_nr_allocations = 0;
	host_failed = false;
	fail_at = n;
}

bool host_fail_hook(u32 order);
bool host_fail_hook(u32 order)
{
	(void)order;
	if (++host_nr_allocations != fail_at)
		return false;
	host_failed = true;
	return true;
}

void host_boot_trace(u64 ram_bytes, size_t trace_bytes, u32 nr_harts_)
{
	static const u32 frames[3] = {0x200100, 0x200200, 0x200300};

	kprintf_sink = log_sink;
	host_ram_init(ram_bytes);
	nr_harts = nr_harts_;
	host_set_stack(frames, 3);
	memset(pa_to_va(KERNEL_PA), 0, trace_bytes);
	memset(&trace_desc, 0, sizeof(trace_desc));
	trace_init(pa_to_va(KERNEL_PA), trace_bytes, nr_harts_);
}
