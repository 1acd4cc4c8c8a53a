/* SPDX-License-Identifier: MIT */
/*
 * From the firmware to init, in this order, and why:
 *
 *   1. the boot hart's struct and traps        nothing may go wrong before it can be reported
 *   2. the device tree                         where RAM, the harts and the console are
 *   3. the final page table                    W^X before anything else runs
 *   4. UART                                    so that the rest can be read
 *   5. trace, then pages                       the first event of a page is its first
 *   6. sched, processes, files, devices        slab caches; none of it runs yet
 *   7. the other harts                         they idle until there is a task
 *   8. the task "boot"                         the root disk is read by sleeping: it mounts, starts init,
 * ends
 *
 * The boot hart then becomes what the others are: an idle loop on its boot stack.
 */
#include "boot_priv.h"
#include <kernel/audit.h>
#include <kernel/dev.h>
#include <kernel/errno.h>
#include <kernel/ext2.h>
#include <kernel/fs.h>
#include <kernel/kstack.h>
#include <kernel/lib.h>
#include <kernel/proc.h>
#include <kernel/procfs.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/trace.h>
#include <kernel/xv6.h>

#define CANNOT_START_STATUS 123
#define INIT_PATH "/bin/init"
#define KSTACK_TABLE_SPAN (1UL << 21)

static bool quiet;

static void early_sink(const char *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		arch_early_putchar(bytes[i]);
}

static paddr_t table_page(void)
{
	return va_to_pa(bootmem_alloc(PAGE_SIZE, PK_METADATA));
}

/*
 * The tables of the kernel stack window, all of them now: made on demand, each would be a page that some test
 * sees disappear.
 */
static void kstack_window_init(void)
{
	for (u64 va = KSTACK_BASE; va < KSTACK_BASE + KSTACK_SLOTS * KSTACK_SLOT_BYTES;
	     va += KSTACK_TABLE_SPAN) {
		arch_kernel_map_page(va, machine.image_start, table_page);
		arch_kernel_unmap_page(va);
	}
}

/* kernel.ld: the note that the linker wrote about its own output. Source of the layout: System V gABI, "Note Section". */
extern const struct {
	u32 name_bytes, desc_bytes, type;
	char name[4];
	u8 id[TRACE_BUILD_ID_BYTES];
} build_id_note;
#define NOTE_BUILD_ID 3

static void describe_build(void)
{
	if (build_id_note.type == NOTE_BUILD_ID && build_id_note.desc_bytes == sizeof(build_id_note.id))
		memcpy(trace_desc.build_id, build_id_note.id, sizeof(build_id_note.id));
}

static struct page_times *page_times_wanted(u64 nr_ram_pages)
{
	char value[8];

	if (!bootarg("page_owner", value, sizeof(value)) || strcmp(value, "on"))
		return NULL;
	return bootmem_alloc(nr_ram_pages * sizeof(struct page_times), PK_METADATA);
}

static void memory_init(void)
{
	u64 ram_bytes = machine.ram_end - machine.ram_start;
	u64 nr_ram_pages = ram_bytes / PAGE_SIZE;
	struct page *array = bootmem_alloc(nr_ram_pages * sizeof(struct page), PK_METADATA);
	size_t trace_bytes = trace_memory_wanted(ram_bytes, machine.nr_harts);
	void *trace_memory = bootmem_alloc(trace_bytes, PK_TRACE);

	/* Before trace_init, which says that the description is whole: the host reads it from then on. */
	trace_desc.ram_start = machine.ram_start;
	trace_desc.ram_end = machine.ram_end;
	trace_desc.image_start = machine.image_start;
	trace_desc.image_end = machine.image_end;
	trace_desc.ramdisk_start = machine.initrd_start;
	trace_desc.ramdisk_end = machine.initrd_end;
	trace_desc.page_array_pa = va_to_pa(array);
	trace_desc.nr_pages = nr_ram_pages;
	describe_build();
	trace_init(trace_memory, trace_bytes, machine.nr_harts);
	page_times = page_times_wanted(nr_ram_pages);
	page_init(machine.ram_start, machine.ram_end, KERNEL_PA, array);
	bootmem_finish();
}

static void print_memory(void)
{
	struct page_totals totals;

	page_totals(&totals);
	kprintf("Pagetrail on %u harts, %lu MiB of RAM, %s disk\n", machine.nr_harts,
		(machine.ram_end - machine.ram_start) >> 20, machine.initrd_end ? "ramdisk" : "virtio");
	kprintf("memory: %lu pages, firmware's %lu apart:", totals.nr_managed, totals.nr_firmware);
	for (u32 kind = 0; kind < PK_NR; kind++)
		if (totals.nr_by_kind[kind])
			kprintf(" %s %lu", page_kind_name(kind), totals.nr_by_kind[kind]);
	kprintf("\nstruct page: %lu bytes, %lu KiB in all; trace: %lu KiB\n", sizeof(struct page),
		nr_pages * sizeof(struct page) / 1024, totals.nr_by_kind[PK_TRACE] * PAGE_SIZE / 1024);
}

static void register_with_auditor(void)
{
	audit_register("kstack", CLAIMS_OF_KERNEL, kstack_claims);
	audit_register("sched", CLAIMS_OF_KERNEL, sched_claims);
	audit_register("virtio", CLAIMS_OF_KERNEL, virtio_claims);
	audit_register("fs", CLAIMS_OF_PROGRAMS, fs_claims);
	audit_register("pipe", CLAIMS_OF_PROGRAMS, pipe_claims);
	audit_register("proc", CLAIMS_OF_KERNEL, proc_claims);
	audit_register_check("sched", sched_check);
	audit_register_check("proc", proc_check);
	audit_register_check("icache", icache_check);
}

static void subsystems_init(void)
{
	sched_init();
	addrspace_init();
	proc_init();
	syscall_init();
	abi_register(&xv6_abi);
	pagecache_init();
	fs_init();
	register_with_auditor();
	console_init();
	chardev_init();
	statistics_init();
	ramdisk_init(machine.initrd_start, machine.initrd_end);
	virtio_blk_init();
}

/*
 * What the disk lacks or has damaged is no fault of the kernel's: it says what it misses, writes back what it may have
 * written, and ends with a status that init's programs do not use by themselves.
 */
static void __attribute__((noreturn)) cannot_start(const char *what, const char *path, int err)
{
	kprintf("boot: cannot %s %s: error %d; e2fsck may mend the disk\n", what, path, -err);
	proc_poweroff(CANNOT_START_STATUS);
}

static void mount(struct superblock *sb, const char *path)
{
	int err = sb ? fs_mount(sb, path) : -ENOMEM;

	if (err)
		cannot_start("mount", path, err);
}

/* run=CMD,ARG stands for a blank where the command line of the machine cannot hold one. */
static void commas_to_blanks(char *text)
{
	if (strchr(text, ' '))
		return;
	for (; *text; text++)
		if (*text == ',')
			*text = ' ';
}

static void start_init(void)
{
	static char path[64] = INIT_PATH;
	static char run[400];
	const char *argv[3] = {path, NULL, NULL};
	int err;

	bootarg("init", path, sizeof(path));
	if (bootarg("run", run, sizeof(run)) && run[0]) {
		commas_to_blanks(run);
		argv[1] = run;
	}
	err = proc_start_init(path, argv);
	if (err)
		cannot_start("start", path, err);
}

static void boot_task(void *arg)
{
	struct block_device *root = block_root();

	writeback_init();
	if (!root) /* says so itself */
		cannot_start("find", "a root disk", fs_mount_root(&ext2_type, NULL));
	int err = fs_mount_root(&ext2_type, root);
	if (err)
		cannot_start("mount the root disk", root->name, err);
	mount(devfs_create(), "/dev");
	mount(procfs_create(), "/proc");
	start_init();
	if (!quiet)
		kprintf("init started after %lu ms\n",
			(arch_time() - trace_desc.boot_time) / (TIME_HZ / 1000));
}

void upcall_hart_main(void)
{
	sched_init_hart();
	arch_hart_online();
	sched_idle_loop();
}

void upcall_boot_main(u64 hart_id, paddr_t fdt_pa)
{
	arch_init_boot_hart((u32)hart_id);
	kprintf_sink = early_sink;
	fdt_read(fdt_pa);
	bootmem_init();
	arch_map_kernel(table_page);
	arch_fetch_harts();
	kstack_window_init();
	if (machine.uart_pa)
		uart_init();
	quiet = bootarg("quiet", NULL, 0);
	memory_init();
	if (!quiet)
		print_memory();
	subsystems_init();
	arch_start_harts();
	arch_irq_enable();
	kthread_start("boot", boot_task, NULL);
	sched_idle_loop();
}
