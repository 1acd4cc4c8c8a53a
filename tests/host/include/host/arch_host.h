/* SPDX-License-Identifier: MIT */
/*
 * The host tests' stand-in for kernel/arch.h: a block of the host's memory as RAM, threads as harts (each has its
 * own host_hart), no interrupts. Only what lib, sync, trace, mm and fs use. Included through kernel/arch.h when
 * PAGETRAIL_HOST is set; implemented in tests/host/arch_host.c.
 */
#ifndef HOST_ARCH_HOST_H
#define HOST_ARCH_HOST_H

#include <kernel/types.h>
#include <string.h>
#include <sys/types.h>

#define KERNEL_PA 0x80200000UL
#define USER_END 0x4000000000UL
#define KSTACK_BASE 0xffffffff00000000UL
#define PHYS_OFFSET host_phys_offset

extern u64 host_phys_offset;   /* host address of RAM minus RAM_BASE; set by host_ram_init */
extern u64 host_time;          /* what arch_time returns; grows by one at each call, atomically */
extern __thread u32 host_hart; /* which hart this thread pretends to be */
extern u32 nr_harts;

struct task;
struct hart {
	u64 kernel_sp;
	u32 index;
	u32 hart_id;
	struct task *current;
	struct task *idle;
	u32 irq_off_depth;
	bool irq_was_on;
	volatile bool in_idle;
	u32 ranks_held;
	u16 pid;
	struct cached_stack **stack_index;
	u64 stack_multiplier;
	struct trace_ring *trace_ring;
	u8 stack_index_shift;
};
extern struct hart harts[NR_HARTS_MAX];

void host_ram_init(u64 size_bytes); /* page aligned, filled with junk */
void host_ram_free(void);

static inline struct hart *this_hart(void)
{
	return &harts[host_hart];
}
static inline u32 hart_index(void)
{
	return host_hart;
}
static inline void *pa_to_va(paddr_t pa)
{
	return (void *)(pa + host_phys_offset);
}
static inline paddr_t va_to_pa(const void *va)
{
	return (paddr_t)va - host_phys_offset;
}
/* As the kernel sees it: off while a spinlock is held. */
static inline bool arch_irqs_on(void)
{
	return this_hart()->irq_off_depth == 0;
}
static inline void arch_irq_enable(void) {}
/*
 * What other harts may do in between. host_irq_hook is called, once, where this hart next turns its interrupts off;
 * host_chaos N gives the processor to another thread at every N-th look at the clock or change of the interrupts.
 */
extern __thread void (*host_irq_hook)(void);
extern u32 host_chaos;
void host_let_others_run(void);
static inline bool arch_irq_save(void)
{
	if (host_irq_hook || host_chaos)
		host_let_others_run();
	return false;
}
static inline void arch_irq_restore(bool on)
{
	(void)on;
}
static inline u64 arch_time(void)
{
	if (host_chaos)
		host_let_others_run();
	return __atomic_add_fetch(&host_time, 1, __ATOMIC_RELAXED);
}
extern u32 host_relax_ticks;                   /* how much time passes in one arch_relax */
extern __thread void (*host_relax_hook)(void); /* called once, by the next arch_relax */
void arch_relax(void); /* gives the host's processor away: there are more harts than processors */

/* bootargs of this "boot"; host_bootargs is a string as the kernel's command line, NULL: none. */
extern const char *host_bootargs;
bool bootarg(const char *key, char *value, size_t size_bytes);

/* Frames that a walk of this thread's stack finds, innermost first; host_set_stack copies them. */
struct arch_unwind {
	u32 nr_found;
	bool fixed; /* there are no frames: nothing is remembered */
};
static inline void arch_unwind_begin(struct arch_unwind *unwind, const void *frame)
{
	(void)frame;
	unwind->nr_found = 0;
	unwind->fixed = false;
}
bool arch_unwind_next(struct arch_unwind *unwind, u64 *address);
#define ARCH_SKIPPED_FRAMES(skip) 0U /* a test's stack begins where it shall */
#define ARCH_STACK_BYTES 8192
#define ARCH_FRAMES false
#define ARCH_RETURN_ADDRESS() 0UL
u64 arch_caller(const void *frame); /* any word where there are no frames, also one that nobody may read */
#define ARCH_OUTERMOST
static inline bool arch_caller_known(u32 ra)
{
	return false;
}
void host_set_stack(const u32 *frames, u32 nr_frames);

extern bool host_world_quiet;  /* what arch_stop_world says */
extern u32 host_world_stopped; /* nesting; 0: running */
void arch_stop_world(bool *quiet);
void arch_start_world(void);
static inline void arch_flush_tlb_page(const void *va)
{
	(void)va;
}
static inline void arch_flush_tlb_all(void) {}
static inline void arch_flush_table(paddr_t root_pa) {}
extern u64 kernel_root_pa;
extern paddr_t host_active_roots[NR_HARTS_MAX];
static inline paddr_t arch_active_root(u32 index)
{
	return host_active_roots[index];
}

/* The window of kernel stacks: host_kernel_mapped tells what is mapped at va (0: nothing). */
int arch_kernel_map_page(u64 va, paddr_t pa, paddr_t (*alloc_page)(void));
void arch_kernel_unmap_page(u64 va);
paddr_t host_kernel_mapped(u64 va);

/* "User" memory of host tests is host memory. A copy that reaches host_fault_at fails there, as on an unmapped page. */
extern uaddr_t host_fault_at; /* 0: none */
static inline bool host_faults(uaddr_t ua, size_t size_bytes)
{
	return host_fault_at && ua + size_bytes > host_fault_at;
}
static inline int copy_to_user(uaddr_t dst, const void *src, size_t size_bytes)
{
	if (host_faults(dst, size_bytes))
		return -14; /* -EFAULT */
	memcpy((void *)dst, src, size_bytes);
	return 0;
}
static inline int copy_from_user(void *dst, uaddr_t src, size_t size_bytes)
{
	if (host_faults(src, size_bytes))
		return -14;
	memcpy(dst, (const void *)src, size_bytes);
	return 0;
}
static inline int clear_user(uaddr_t dst, size_t size_bytes)
{
	memset((void *)dst, 0, size_bytes);
	return 0;
}

#endif
