# SPDX-License-Identifier: MIT
"""Sources of small kernels in xv6's shape: each part (list, counts, processes, console) in the forms that labs give it."""

HEAD = """
typedef unsigned long uint64; typedef unsigned int uint; typedef unsigned short uint16; typedef unsigned char uchar;
typedef uint64 pte_t; typedef uint64 *pagetable_t;
#define PGSIZE 4096UL
#define KERNBASE 0x80000000UL
#define PHYSTOP (KERNBASE + 128UL * 1024 * 1024)
#define NCPU 8
extern char end[], etext[];
struct spinlock { uint locked; char *name; };
__attribute__((noinline)) void acquire(struct spinlock *lk) { while (__sync_lock_test_and_set(&lk->locked, 1)) ; }
__attribute__((noinline)) void release(struct spinlock *lk) { __sync_lock_release(&lk->locked); }
__attribute__((noinline)) int cpuid(void) { int id; asm volatile("mv %0, tp" : "=r"(id)); return id; }
__attribute__((noinline, noreturn)) void panic(char *s) { for (;;) ; }
__attribute__((noinline)) void *memset(void *p, int c, uint n) {
  volatile char *at = p; while (n--) *at++ = c; return p; }
"""

# Free lists: declaration, the list of this hart, and all that must be described.
LISTS = {
    "kmem": ("struct { struct spinlock lock; struct run *freelist; } kmem;", "kmem", "kmem.freelist"),
    "per hart": ("struct { struct spinlock lock; struct run *freelist; } kmem[NCPU];", "kmem[cpuid()]", "kmem[].freelist"),
    "lists in one": ("struct mem { struct spinlock lock; struct { struct run *freelist; } of[NCPU]; } mem;",
                     None, "mem.of[].freelist"),
    "bare": ("struct spinlock lock; struct run *freelist;", None, "freelist"),
}
USE = {"lists in one": ("mem.lock", "mem.of[cpuid()].freelist"), "bare": ("lock", "freelist")}

# Counts: declaration, the count of page pa, what must be described, and its page of element i.
COUNTS = {
    "none": ("", None, None, None),
    "int from 0": ("int refs[PHYSTOP / PGSIZE];", "refs[(uint64)(pa) / PGSIZE]", "refs", "i<<12"),
    "u8 from ram": ("uchar refs[(PHYSTOP - KERNBASE) / PGSIZE];", "refs[((uint64)(pa) - KERNBASE) / PGSIZE]", "refs",
                    "0x80000000+(i<<12)"),
    "u16 from end": ("uint16 refs[(PHYSTOP - KERNBASE) / PGSIZE];", "refs[((uint64)(pa) - (uint64)end) >> 12]", "refs",
                     "0x80351000+(i<<12)"),
    "long": ("uint64 refs[(PHYSTOP - KERNBASE) / PGSIZE];", "refs[((uint64)(pa) - KERNBASE) >> 12]", "refs",
             "0x80000000+(i<<12)"),
    "record": ("struct page { struct spinlock lock; uint count; } pages[(PHYSTOP - KERNBASE) / PGSIZE];",
               "pages[((uint64)(pa) - KERNBASE) / PGSIZE].count", "pages[].count", "0x80000000+(i<<12)"),
    "within": ("struct { struct spinlock lock; int count[(PHYSTOP - KERNBASE) / PGSIZE]; } ref;",
               "ref.count[((uint64)(pa) - KERNBASE) / PGSIZE]", "ref.count", "0x80000000+(i<<12)"),
    "by function": ("int refs[(PHYSTOP - KERNBASE) / PGSIZE];\\\n"
                    "__attribute__((noinline)) int index_of(void *pa) { return ((uint64)pa - KERNBASE) / PGSIZE; }",
                    "refs[index_of((void *)(pa))]", "refs", "0x80000000+(i<<12)"),
    "by mask": ("uchar refs[(PHYSTOP - KERNBASE) / PGSIZE];", "refs[((uint64)(pa) & 0x7ffffff) >> 12]", "refs",
                "0x80000000+(i<<12)"),
    "by remainder": ("int refs[(PHYSTOP - KERNBASE) / PGSIZE];", "refs[(uint64)(pa) / PGSIZE % 32768]", "refs",
                     "0x80000000+(i<<12)"),
    "behind end": ("int *refs;", "refs[((uint64)(pa) - KERNBASE) / PGSIZE]", "0x80351d44", "0x80351000+(i<<12)"),
    "behind end, record": ("struct ref { int count; struct spinlock lock; } *refs;",
                           "refs[((uint64)(pa) - KERNBASE) / PGSIZE].count", "0x80355f98", "0x80351000+(i<<12)"),
    "from a variable": ("int refs[(PHYSTOP - KERNBASE) / PGSIZE]; char *base; volatile int reserved;",
                        "refs[((uint64)(pa) - (uint64)base) / PGSIZE]", "refs", "base+(i<<12)"),
    "behind end, from a variable": ("uchar *refs; char *base; volatile int reserved;",
                                    "refs[((uint64)(pa) - (uint64)base) / PGSIZE]", "0x80351000", "base+(i<<12)"),
    "behind end, relative": ("uint64 refs;", "(*(uchar *)(refs + ((uint64)(pa) - refs) / PGSIZE))", "0x80351000",
                             "0x80351000+(i<<12)"),
}
INIT = {"from a variable": "base = end + 4096L * reserved;",
        "behind end, from a variable":
            "refs = (uchar *)(((uint64)end + PGSIZE - 1) & ~(PGSIZE - 1)); base = (char *)refs + 4096L * reserved;",
        "behind end, record": "refs = (struct ref *)(((uint64)end + PGSIZE - 1) & ~(PGSIZE - 1));",
        "behind end": "refs = (int *)(((uint64)end + PGSIZE - 1) & ~(PGSIZE - 1));",
        "behind end, relative": "refs = ((uint64)end + PGSIZE - 1) & ~(PGSIZE - 1);"}


def allocator(lists="kmem", counts="none", alloc="kalloc", free="kfree"):
    """struct run, the list, and the two functions, written for this; names can be others than xv6's."""
    declaration, holder, _ = LISTS[lists]
    lock, head = USE.get(lists) or (f"{holder}.lock", f"{holder}.freelist")
    array, count, _, _ = COUNTS[counts]
    drop = f"if ({count} > 1) {{ {count}--; release(&{lock}); return; }} {count} = 0;" if count else ""
    take = f"if (r) {count.replace('(pa)', '(r)')} = 1;" if count else ""
    more = f"void share(void *pa) {{ acquire(&{lock}); {count}++; release(&{lock}); }}" if count else ""
    return f"""
struct run {{ struct run *next; }};
{declaration}
{array.replace(chr(92) + chr(10), chr(10))}
__attribute__((noinline)) void {free}(void *pa) {{
  if ((uint64)pa % PGSIZE || (char *)pa < end || (uint64)pa >= PHYSTOP) panic("{free}");
  acquire(&{lock});
  {drop}
  memset(pa, 1, PGSIZE);
  struct run *r = pa;
  r->next = {head};
  {head} = r;
  release(&{lock});
}}
__attribute__((noinline)) void *{alloc}(void) {{
  acquire(&{lock});
  struct run *r = {head};
  if (r) {head} = r->next;
  {take}
  release(&{lock});
  if (r) memset(r, 5, PGSIZE);
  return r;
}}
{more}
__attribute__((noinline)) void freerange(void *from, void *to) {{
  for (char *p = (char *)(((uint64)from + PGSIZE - 1) & ~(PGSIZE - 1)); p + PGSIZE <= (char *)to; p += PGSIZE) {free}(p);
}}
void kinit(void) {{ {INIT.get(counts, "")} freerange(end, (void *)PHYSTOP); }}
"""


PROCESSES = """
enum procstate { UNUSED, USED, SLEEPING, RUNNABLE, RUNNING, ZOMBIE };
struct context { uint64 ra, sp, s0; };
struct trapframe { uint64 kernel_satp, epc, a0; };
struct file { int ref; void *pipe; };
struct proc { struct spinlock lock; enum procstate state; int pid; uint64 kstack; pagetable_t pagetable; %s
  struct trapframe *trapframe; struct context context; struct file *ofile[16]; char name[16]; };
struct cpu { struct proc *proc; struct context context; int noff; };
struct proc proc[64];
struct cpu cpus[NCPU];
struct { struct spinlock lock; struct file file[100]; } ftable;
pagetable_t kernel_pagetable;
__attribute__((noinline)) pte_t *walk(pagetable_t table, uint64 va, int alloc) {
  for (int level = 2; level > 0; level--) {
    pte_t *pte = &table[va >> (12 + 9 * level) & 511];
    if (*pte & 1) { table = (pagetable_t)(*pte >> 10 << 12); continue; }
    if (!alloc || !(table = ALLOC())) return 0;
    *pte = (uint64)table >> 12 << 10 | 1;
  }
  return &table[va >> 12 & 511];
}
__attribute__((noinline)) void unmap(pagetable_t table, uint64 va) {
  pte_t *pte = walk(table, va, 0);
  if (pte) { FREE((void *)(*pte >> 10 << 12)); *pte = 0; }
}
#ifndef STACK_PAGES
#define STACK_PAGES 1
#endif
__attribute__((noinline)) void setup(struct proc *p) { p->context.sp = p->kstack + STACK_PAGES * PGSIZE; }
__attribute__((noinline)) int nothing_of(struct proc *p) { return p->pid; }
"""

CONSOLE = """
#define UART ((volatile uchar *)0x10000000)
__attribute__((noinline)) void uartinit(void) { UART[1] = 0; UART[3] = 0x80; UART[0] = 3; UART[3] = 3; }
__attribute__((noinline)) void uartputc(int c) { while (!(UART[5] & 0x20)) ; UART[0] = c; }
"""

MAIN = """
void _entry(void) {
  uartinit(); uartputc('x'); kinit();
  struct proc *p = &proc[cpuid()];
  p->pagetable = ALLOC(); p->state = RUNNING; p->trapframe = ALLOC(); p->kstack = (uint64)ALLOC();
  setup(p); cpus[cpuid()].proc = p;
  kernel_pagetable = ALLOC();
  walk(kernel_pagetable, 0, 1); unmap(p->pagetable, 4096); nothing_of(p);
  ftable.file[1].ref++; ftable.file[1].pipe = ALLOC();
  MORE
}
"""


def kernel(lists="kmem", counts="none", alloc="kalloc", free="kfree", members="", extra="", more=""):
    """A whole kernel. members: further members of struct proc; extra: further code; more: statements of its main."""
    if COUNTS[counts][1]:
        more += " share(p->trapframe);"
    return (HEAD + f"#define ALLOC {alloc}\n#define FREE {free}\n#define MORE {more}\n" +
            allocator(lists, counts, alloc, free) + PROCESSES % members + CONSOLE + extra + MAIN)
