/* SPDX-License-Identifier: MIT */
/*
 * arch: everything that says "riscv". What the layers above may ask of the machine.
 *
 * Register use in the kernel: tp points to this hart's struct hart, always. sscratch holds the same
 * pointer in every mode (except between the first instructions of trap.S); the user's tp is in its frame.
 * SUM is set only inside the user copy routines; a trap out of one clears it and its return sets it again.
 *
 * Address map (Sv39, upper half; shared by every page table, made once at boot, never freed):
 *   PHYS_OFFSET + pa        all RAM and devices, direct map: text r-x, rodata r--, everything else rw-
 *   KSTACK_BASE + slot*16K  kernel stacks: two guard pages, then two stack pages
 *
 * Upcalls: arch does not include what is above it; it declares the functions that the layers above must
 * define (names begin with upcall_).
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#ifdef PAGETRAIL_HOST
#include <host/arch_host.h> /* the host tests' stand-in, same names */
#else

#include <kernel/types.h>

#define KERNEL_PA 0x80200000UL /* where OpenSBI jumps */
#define KSTACK_BASE 0xffffffff00000000UL
#define USER_END 0x4000000000UL /* first address above the user's half */

static inline void *pa_to_va(paddr_t pa)
{
	return (void *)(pa + PHYS_OFFSET);
}
static inline paddr_t va_to_pa(const void *va)
{
	return (paddr_t)va - PHYS_OFFSET;
}

/* ---- harts ---- */

struct task;
struct cached_stack;

/* One per hart, static. Everything here is touched only by its own hart unless the field says otherwise. */
struct hart {
	/* offsets 0..287 are known to entry.S, trap.S and panic.S */
	u64 kernel_sp; /* stack to use on a trap from user mode; set by every return to user mode */
	u64 scratch[2];
	u64 emergency_sp; /* stack for a trap that finds the kernel stack overflowed */
	u64 panic_x[32];  /* registers at the call of panic */
	u32 index;        /* 0..nr_harts-1, dense; used for per-hart arrays */
	u32 hart_id;      /* the machine's number */
	struct task *current;
	struct task *idle;
	u32 irq_off_depth; /* nesting of arch_irq_push */
	bool irq_was_on;   /* before the outermost push */
	volatile bool online;
	volatile bool in_idle;             /* read by others: needs an IPI to notice work */
	volatile bool stopped;             /* parked in the stop-the-world handler */
	volatile bool stopped_quiet;       /* ... and it was in user mode or idle when stopped */
	volatile u32 ipi_pending;          /* atomic OR of enum ipi */
	u32 nr_relaxes;                    /* of arch_relax */
	u32 ranks_held;                    /* bit (1 << rank) for each spinlock held; one of a rank at most */
	u16 pid;                           /* of current; what records say */
	u8 stack_index_shift;              /* trace's: 64 - the bits of a place's number */
	struct cached_stack **stack_index; /* trace's (stack.c) */
	u64 stack_multiplier;          /* trace's: of its hash, as a load is cheaper than the making of it */
	struct trace_ring *trace_ring; /* trace's; set before anything is recorded */
};

extern struct hart harts[NR_HARTS_MAX];
extern u32 nr_harts; /* online after boot */

static inline struct hart *this_hart(void)
{
	struct hart *hart;
	__asm__ volatile("mv %0, tp" : "=r"(hart));
	return hart;
}

static inline u32 hart_index(void)
{
	return this_hart()->index;
}

enum ipi {
	IPI_WAKE = 1, /* look at the run queue */
	IPI_STOP = 2, /* park until arch_start_world */
	IPI_HALT = 4, /* panic: save registers and stop for good */
};
/* Sends an IPI to one hart (by index). Safe with interrupts off and any lock held. */
void arch_ipi(u32 index, enum ipi what);

/*
 * Parks every other hart in its IPI handler; on return they stand still, holding no spinlock.
 * *quiet is false if one of them was interrupted in kernel code (other than its idle loop).
 * One caller at a time; interrupts of this hart are off until arch_start_world.
 */
void arch_stop_world(bool *quiet);
void arch_start_world(void);

/* For panic: asks all others to save their state (upcall_halted) and stop for good; does not wait. */
void arch_halt_others(void);
void arch_halt_here(void) __attribute__((noreturn));

/* ---- interrupts, time, order ---- */

#define SSTATUS_SIE 2UL
#define SSTATUS_SPP 0x100UL
#define SSTATUS_SPIE 0x20UL
#define SSTATUS_SUM 0x40000UL

#define csr_read(csr)                                                                                        \
	({                                                                                                   \
		u64 v_;                                                                                      \
		__asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory");                                     \
		v_;                                                                                          \
	})
#define csr_write(csr, val) __asm__ volatile("csrw " #csr ", %0" ::"r"((u64)(val)) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"r"((u64)(bits)) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc " #csr ", %0" ::"r"((u64)(bits)) : "memory")

static inline bool arch_irqs_on(void)
{
	return csr_read(sstatus) & SSTATUS_SIE;
}
static inline void arch_irq_enable(void)
{
	__asm__ volatile("csrsi sstatus, 2" ::: "memory");
}

/* Interrupts off; returns whether they were on. arch_irq_restore(that) puts it back. */
static inline bool arch_irq_save(void)
{
	u64 old;
	__asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old)::"memory");
	return old & SSTATUS_SIE;
}
static inline void arch_irq_restore(bool on)
{
	if (on)
		arch_irq_enable();
}

static inline u64 arch_time(void)
{
	return csr_read(time);
}
static inline void arch_wfi(void)
{
	__asm__ volatile("wfi" ::: "memory");
}
/*
 * One turn of a loop that waits for another hart; interrupts on or off. Now and then it gives way, since the
 * other may share one processor with this one.
 */
void arch_relax(void);

/* Asks for a timer interrupt on this hart at `time` (CSR ticks). */
void arch_timer_set(u64 time);

/* ---- context switch ---- */

/* Callee-saved registers of a task that is not running. Offsets known to switch.S; ra first. */
struct context {
	u64 ra;
	u64 sp;
	u64 s[12];
};
STATIC_ASSERT(sizeof(struct context) == 112, "switch.S");

/* Saves into *from, loads *to. Called with interrupts off. */
void arch_switch(struct context *from, struct context *to);

/*
 * The user's registers at the top of the kernel stack, pushed by trap.S.
 * x[0] is unused; x[n] is register n.
 */
struct trapframe {
	u64 x[32];
	u64 pc;
	u64 status;
	u64 cause;
	u64 tval;
};
STATIC_ASSERT(sizeof(struct trapframe) == 288, "trap.S");

#define REG_RA 1
#define REG_SP 2
#define REG_A0 10
#define REG_A1 11
#define REG_A2 12
#define REG_A7 17

/*
 * Leaves the kernel for user mode with these registers, by way of upcall_return_to_user. Never returns.
 * Entry of every new process. frame + 1 becomes the stack top of the next trap (so frame is the topmost
 * thing on its kernel stack); frame->status is not used. Interrupts may be on or off.
 */
void arch_return_to_user(struct trapframe *frame) __attribute__((noreturn));

/* ---- virtual memory ---- */

extern u64 kernel_root_pa; /* the page table every new one copies its upper half from */

/* Makes root_pa (or the kernel's own) the active table of this hart and flushes its TLB. */
void arch_use_root(paddr_t root_pa);
paddr_t arch_active_root(u32 index); /* of any hart; the harts' own record, for checks */
void arch_flush_tlb_page(const void *va_or_ua);
void arch_flush_tlb_all(void);
/*
 * An entry of the table at root_pa was taken away, or lost rights, and the table may be in use on other harts: when this
 * returns none uses the old entry any more. Any lock may be held.
 */
void arch_flush_table(paddr_t root_pa);

/*
 * Copies that touch user memory. A fault goes to upcall_user_fault; if that fails the copy stops.
 * Return 0 or -EFAULT; a range that leaves the user's half is -EFAULT without a byte copied.
 * The caller holds no spinlock (the fault may sleep).
 */
int copy_to_user(uaddr_t dst, const void *src, size_t size_bytes);
int copy_from_user(void *dst, uaddr_t src, size_t size_bytes);
int clear_user(uaddr_t dst, size_t size_bytes);
/* Copies a string with its 0. Returns its length, -EFAULT, or -ENAMETOOLONG. */
ssize_t strncpy_from_user(char *dst, uaddr_t src, size_t size_bytes);

/* ---- stacks ---- */

/*
 * A walk over this hart's own stack, from the inside out. It runs once for each traced event, so a step is a dozen
 * instructions in place. A function's fp points above its frame, where the return address stands at fp - 8 and the
 * caller's fp at fp - 16. A leaf that calls nobody keeps only the caller's fp, at fp - 8; it can only be met as the
 * function that a trap interrupted.
 *
 * Every stack is two pages on a boundary of two pages (kernel stack slots, boot stacks), so the bounds come from the
 * frame itself. Each step goes strictly up within them: the walk ends, and cannot fault.
 */
struct arch_unwind {
	u64 fp;     /* 0: the walk is over */
	u64 high;   /* end of the stack */
	bool fixed; /* each frame so far lies where it always does for the return addresses before it */
};

#define ARCH_STACK_BYTES (KSTACK_PAGES * PAGE_SIZE)
#define ARCH_FRAMES true /* the frames are there; not so in tests on the host */

extern char image_start[], text_end[];
extern char outermost_start[], outermost_end[]; /* of the image: kernel.ld */
extern const char trap_kernel_return[];         /* trap.S: where an interrupt in the kernel goes on */
extern const char usercopy_start[], usercopy_end[];

/*
 * fp: the frame that trap.S makes of a trap in the kernel. A user copy has no frame of its own and keeps its caller's: behind
 * a fault in it each frame lies where it always does. Anything else that is interrupted may be at the making of its frame.
 */
static inline bool arch_trap_frame_fixed(u64 fp)
{
	u64 pc = ((const u64 *)fp)[-1];

	return pc - (u64)usercopy_start < (u64)(usercopy_end - usercopy_start);
}

/* False: that was all. Else *address is a return address. */
static inline bool arch_unwind_next(struct arch_unwind *unwind, u64 *address)
{
	while (unwind->fp) {
		const u64 *top = (const u64 *)unwind->fp;
		u64 ra = top[-1], caller_fp = top[-2];
		bool code = ra - (u64)image_start < (u64)(text_end - image_start);

		if (UNLIKELY(!code))
			caller_fp = ra; /* a leaf's; or nonsense, which the bounds end */
		caller_fp &= ~7UL;
		unwind->fp = caller_fp > unwind->fp && caller_fp <= unwind->high ? caller_fp : 0;
		if (LIKELY(code)) {
			if (UNLIKELY(ra == (u64)trap_kernel_return))
				unwind->fixed =
				    unwind->fixed && unwind->fp && arch_trap_frame_fixed(unwind->fp);
			*address = ra;
			return true;
		}
		unwind->fixed = unwind->fixed && !unwind->fp; /* at the end of the stack it is the end */
	}
	return false;
}

/* frame: __builtin_frame_address of a function on this stack; the first address found is its own. */
static inline void arch_unwind_begin(struct arch_unwind *unwind, const void *frame)
{
	unwind->fp = (u64)frame;
	unwind->high = ((unwind->fp - 1) | (ARCH_STACK_BYTES - 1)) + 1;
	unwind->fixed = true;
}
/* Of a walk whose first address shall be that of the skip-th function outwards (0 and 1: the function with the frame). */
#define ARCH_SKIPPED_FRAMES(skip) ((skip) ? (skip)-1 : 0)

/*
 * On a function that is called from one place only, by trap.S or by another such function: behind a return address in it
 * there is never but one stack, and nobody must look. tests/qemu/test_boot.py counts the calls.
 */
#define ARCH_OUTERMOST __attribute__((section(".text.outermost")))

/* ra: the low half of a return address. Whether the one behind it is always the same. */
static inline bool arch_caller_known(u32 ra)
{
	return ra - (u32)(u64)outermost_start < (u32)(outermost_end - outermost_start);
}

/* Where the function that has this frame returns to. */
static inline u64 arch_caller(const void *frame)
{
	return ((const u64 *)frame)[-1];
}

/* Where the function that uses this was called from: its first statement, where it has no frame and calls nobody but in its end. */
#define ARCH_RETURN_ADDRESS()                                                                                \
	({                                                                                                   \
		u64 ra_;                                                                                     \
		__asm__ volatile("mv %0, ra" : "=r"(ra_));                                                   \
		ra_;                                                                                         \
	})

/*
 * Return addresses, innermost first, as va - PHYS_OFFSET (they fit 32 bits), of a stack [low, high) that does not run:
 * from pc and a saved frame pointer. Never faults, never allocates.
 */
u32 arch_unwind_from(u64 pc, u64 fp, u64 low, u64 high, u32 *frames, u32 max_frames);

/* ---- the machine's end ---- */

/* Ends QEMU through the finisher with this exit status (0..127). Never returns. */
void arch_poweroff(u32 status) __attribute__((noreturn));
void arch_early_putchar(char c);

/* ---- what arch finds at boot and how it begins ---- */

struct machine {
	paddr_t ram_start, ram_end;       /* as the device tree says */
	paddr_t initrd_start, initrd_end; /* 0, 0: none */
	paddr_t fdt_start, fdt_end;
	paddr_t image_start, image_end; /* page aligned, from the linker script */
	u32 nr_harts;
	u32 hart_ids[NR_HARTS_MAX]; /* [0] is the boot hart */
	u64 plic_pa, uart_pa, finisher_pa;
	u32 uart_irq;
	struct {
		u64 pa;
		u32 irq;
	} virtio[8];
	u32 nr_virtio;
	char bootargs[512];
};
extern struct machine machine;

/* Reads the device tree at fdt_pa into `machine`. Panics on a tree without memory. */
void fdt_read(paddr_t fdt_pa);
/* "key=value" or a bare "key" in bootargs; value may be NULL. True when the key is there. */
bool bootarg(const char *key, char *value, size_t size_bytes);

void arch_init_boot_hart(
    u32 hart_id);               /* its struct and traps: the very first thing; paging as entry.S left it */
void arch_init_this_hart(void); /* stvec, sie, timer: on each hart; arch does it before upcall_hart_main */
void arch_hart_online(void);    /* a secondary hart can be sent IPIs and takes part in stopping the world */
/* Builds the final kernel table; alloc_page gives zeroed pages that are never freed. */
void arch_map_kernel(paddr_t (*alloc_page)(void));
/*
 * Maps / unmaps one 4 KiB page in the shared upper half (kernel stacks). map: 0 or -ENOMEM; alloc_page gives
 * a zeroed page (or 0) for a level-0 table, one per 2 MiB of window, never given back. unmap flushes this
 * hart only (see KSTACK-2). The caller excludes other callers.
 */
int arch_kernel_map_page(u64 va, paddr_t pa, paddr_t (*alloc_page)(void));
void arch_kernel_unmap_page(u64 va);
/* Takes the other harts over from the firmware, once the kernel's table is there. They sleep. */
void arch_fetch_harts(void);
/* Lets them begin; each calls upcall_hart_main on its own boot stack. Waits until all are online. */
void arch_start_harts(void);

/* PLIC */
void plic_enable(u32 irq); /* drivers use dev_irq_register. Routed to upcall_external_irq on the boot hart */

/* ---- upcalls: defined by the layers above ---- */

/* boot: on the boot stack, early page table, no traps yet. fdt_pa as the firmware gave it. */
void upcall_boot_main(u64 hart_id, paddr_t fdt_pa) __attribute__((noreturn));
void upcall_hart_main(void) __attribute__((noreturn)); /* boot: secondary harts; calls arch_hart_online */
/* syscall. frame->pc is already behind the ecall. Interrupts on. */
void upcall_syscall(struct trapframe *frame);
/* A page fault of user mode or of a user copy. write/exec say what was tried. 0 = retry the access. */
int upcall_user_fault(uaddr_t ua, bool write, bool exec); /* sched; interrupts on */
void upcall_user_exception(struct trapframe *frame);      /* proc: kill the process, say why; interrupts on */
void upcall_return_to_user(struct trapframe *frame);      /* proc: die if killed; interrupts on */
void upcall_timer(void);                                  /* sched; interrupts off */
void upcall_wake(void);                                   /* sched: IPI_WAKE arrived */
void upcall_external_irq(u32 irq);                        /* dev/irq.c, see dev_irq_register */
/* boot: what panic and panic_about are, behind panic.S, which kept the registers in the hart's panic_x. */
void upcall_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void upcall_panic_about(const void *subject, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* boot: an exception in the kernel that nothing can mend. overflow: the kernel stack ran into its guard. */
void upcall_kernel_exception(struct trapframe *frame, bool overflow) __attribute__((noreturn));
/* boot: IPI_HALT arrived here, from panic; save what the host wants to know. The hart parks for good afterwards. */
void upcall_halted(const struct trapframe *frame);
void upcall_poweroff(u32 status); /* boot: last words before the finisher */

#endif /* PAGETRAIL_HOST */
#endif
