/* SPDX-License-Identifier: MIT */
/* What user code must not do: each of these kills the process and nothing else. */
#include "tests.h"

static void jump(long address)
{
	((void (*)(void))address)();
}

static void test_bad_addresses(void)
{
	for (int i = 0; i < nr_bad_addresses; i++) {
		check_killed(load_byte, (long)bad_addresses[i]);
		check_killed(store_byte, (long)bad_addresses[i]);
		check_killed(jump, (long)(bad_addresses[i] & ~1UL));
	}
}

static void test_kernel_memory(void)
{
	/* All over the kernel's half and the physical addresses of devices and RAM. */
	for (uintptr_t at = 0xffffffc000000000; at < 0xffffffc0fffff000; at += 0x17654000) {
		check_killed(load_byte, (long)at);
		check_killed(store_byte, (long)at);
	}
	static const uintptr_t devices[] = {0x100000, 0x2000000, 0xc000000, 0x10000000, 0x10001000};
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		check_killed(store_byte, (long)devices[i] + 0x2000000000);
	check_killed(store_byte, 0x80000000);
	check_killed(store_byte, 0x10000000);
}

static void store_text(long unused)
{
	*(volatile unsigned *)__text_start = 0;
}

static void test_text_is_read_only(void)
{
	unsigned before = *(unsigned *)__text_start;

	check_killed(store_text, 0);
	CHECK_EQ(*(unsigned *)__text_start, before);
	/* Neither may the kernel write there for us. */
	make_file("f", 100, 1);
	int fd = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, __text_start, 100), -EFAULT);
	CHECK_EQ(fstat(fd, (struct stat *)__text_start), -EFAULT);
	CHECK_EQ(pipe((int *)__text_start), -EFAULT);
	CHECK_EQ(*(unsigned *)__text_start, before);
}

static const unsigned return_instruction = 0x00008067; /* jalr x0, 0(ra) */

static void test_no_execution_of_data(void)
{
	static unsigned in_data;
	unsigned on_stack = return_instruction;
	unsigned *on_heap = sbrk(PAGE_BYTES);

	in_data = return_instruction;
	CHECK(on_heap);
	*on_heap = return_instruction;
	__asm__ volatile("fence.i" ::: "memory");
	check_killed(jump, (long)&in_data);
	check_killed(jump, (long)&on_stack);
	check_killed(jump, (long)on_heap);
	CHECK_EQ(run_child(jump, (long)&return_instruction),
		 0); /* read-only data shares the text's segment */
}

static void illegal(long which)
{
	switch (which) {
	case 0:
		__asm__ volatile(".4byte 0");
		break;
	case 1:
		__asm__ volatile(".4byte 0xffffffff");
		break;
	case 2:
		__asm__ volatile("ebreak");
		break;
	case 3:
		__asm__ volatile("csrr t0, sstatus" ::: "t0");
		break;
	case 4:
		__asm__ volatile("csrw satp, zero");
		break;
	case 5:
		__asm__ volatile("sret");
		break;
	case 6:
		__asm__ volatile("wfi; .4byte 0");
		break;
	case 7:
		__asm__ volatile("sfence.vma");
		break;
	case 8:
		__asm__ volatile("csrr t0, mhartid" ::: "t0");
		break;
	default:
		__asm__ volatile(".option push\n.option arch, +f\nfadd.s f0, f0, f0\n.option pop\n.4byte 0");
	}
}

static void test_illegal(void)
{
	for (long which = 0; which < 10; which++)
		check_killed(illegal, which);
}

static void store_kernel_pointers(long unused)
{
	/* A program may put what it likes into its registers; the kernel must not use them as its own. */
	__asm__ volatile("li tp, -8\n li gp, -8\n li sp, -16\n li s0, -16\n"
			 "li a7, 5\n ecall\n" /* getpid */
			 "li a7, 29\n ecall\n"
			 "li a0, 42\n li a7, 1\n ecall");
}

static void fault_without_stack(long sp)
{
	__asm__ volatile("mv sp, %0\n li tp, 0\n sd zero, 0(sp)" ::"r"(sp));
}

static void test_registers(void)
{
	CHECK_EQ(run_child(store_kernel_pointers, 0), 42);
	check_killed(fault_without_stack, 0);
	check_killed(fault_without_stack, 0x80200000);
	check_killed(fault_without_stack, -16);
	/* What a system call does not return in, it keeps. */
	register long s1 __asm__("s1") = 0x1111;
	register long t3 __asm__("t3") = 0x2222;
	register long a3 __asm__("a3") = 0x3333;
	register long a7 __asm__("a7") = SYS_getpid;
	register long a0 __asm__("a0") = 0;
	__asm__ volatile("ecall" : "+r"(a0), "+r"(s1), "+r"(t3), "+r"(a3) : "r"(a7) : "memory");
	CHECK_EQ(a0, getpid());
	CHECK(s1 == 0x1111 && t3 == 0x2222 && a3 == 0x3333);
}

static long __attribute__((noinline)) use_stack(long bytes)
{
	volatile char frame[1000];

	frame[0] = (char)bytes;
	if (bytes <= 1000)
		return frame[0];
	return use_stack(bytes - 1100) + frame[0];
}

static void use_stack_of(long bytes)
{
	(void)use_stack(bytes);
}

static void store_below_stack(long distance)
{
	volatile char here;

	*(volatile char *)((uintptr_t)&here - (uintptr_t)distance) = 1;
}

static void test_stack(void)
{
	CHECK_EQ(run_child(use_stack_of, 200 * 1024), 0);
	check_killed(use_stack_of, 1024 * 1024);
	check_killed(store_below_stack, 512 * 1024);
	check_killed(store_below_stack, 1 << 30);
	/* The kernel grows it as well. */
	make_file("f", 4096, 1);
	int fd = (int)CHECK_OK(open("f", O_RDONLY));
	char *deep = (char *)__builtin_frame_address(0) - 150 * 1024;
	CHECK_EQ(read(fd, deep, 100), 100);
	CHECK(pattern_matches(deep, 100, 0, 1));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, (char *)__builtin_frame_address(0) - 400 * 1024, 100), -EFAULT);
}

static void misaligned(long unused)
{
	static char bytes[64];

	memset(bytes, 0, sizeof(bytes));
	for (long at = 1; at < 8; at++)
		*(volatile long *)(bytes + at) = at;
	__asm__ volatile("lr.d t0, (%0)" ::"r"(bytes + 1) : "t0");
}

static void test_misaligned(void)
{
	/* Plain accesses may work; an atomic one cannot. Either way, only this process may suffer. */
	check_killed(misaligned, 0);
}

static void die_in_many_ways(long seed)
{
	uint64_t state = (uint64_t)seed * 12345 + 6;
	uintptr_t address = bad_addresses[random_next(&state) % (uint64_t)nr_bad_addresses];

	if (random_next(&state) % 2)
		store_byte((long)address);
	jump((long)(address & ~1UL));
}

static void test_many_deaths(void)
{
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++)
			start(die_in_many_ways, round * 8 + i);
		for (int i = 0; i < 8; i++) {
			int status = 0;
			CHECK(wait(&status) > 0);
			CHECK_EQ(status, KILLED);
		}
	}
}

const struct test tests_fault[] = {
    {"fault-addresses", test_bad_addresses, 0, "load, store and jump where nothing is"},
    {"fault-kernel", test_kernel_memory, 0, "the kernel's memory and the devices"},
    {"fault-text", test_text_is_read_only, 0, "writes into the program's text"},
    {"fault-no-execute", test_no_execution_of_data, 0, "jumps into data, stack and heap"},
    {"fault-illegal", test_illegal, 0, "illegal and privileged instructions"},
    {"fault-registers", test_registers, 0, "nonsense in every register; what calls keep"},
    {"fault-stack", test_stack, 0, "the stack grows so far and no farther"},
    {"fault-misaligned", test_misaligned, 0, "misaligned accesses"},
    {"fault-together", test_many_deaths, 0, "many die at once"},
    {NULL, NULL, 0, NULL},
};
