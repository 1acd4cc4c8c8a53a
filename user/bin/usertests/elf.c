/* SPDX-License-Identifier: MIT */
/* exec of files that are nearly programs: /bin/true with one thing wrong. */
#include "tests.h"

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static uint64_t image[512]; /* of /bin/true */
static long image_bytes;

static struct elf_header *header(void)
{
	return (struct elf_header *)image;
}

static struct elf_segment *segment(int i)
{
	return (struct elf_segment *)((char *)image + header()->phoff) + i;
}

static void load_image(void)
{
	int fd = (int)CHECK_OK(open("/bin/true", O_RDONLY));

	image_bytes = CHECK_OK(read_full(fd, image, sizeof(image)));
	close(fd);
	CHECK((size_t)image_bytes > sizeof(struct elf_header) && (size_t)image_bytes < sizeof(image));
	CHECK(header()->phnum >= 1 && segment(0)->type == 1);
}

/* One thing wrong with the image (ELF-1, ELF-2, ELF-3, ELF-4). */
#define HEADER(member, number)                                                                               \
	{                                                                                                    \
#member " = " #number, offsetof(struct elf_header, member),                                  \
		    sizeof(((struct elf_header *)0)->member), false, (uint64_t)(number)                      \
	}
#define SEGMENT(member, number)                                                                              \
	{                                                                                                    \
		"segment " #member " = " #number, offsetof(struct elf_segment, member),                      \
		    sizeof(((struct elf_segment *)0)->member), true, (uint64_t)(number)                      \
	}
static const struct change {
	const char *what;
	size_t offset, size_bytes;
	bool of_segment;
	uint64_t value;
} changes[] = {
    HEADER(ident[0], 0x7e),
    HEADER(ident[1], 'F'),
    HEADER(ident[4], 1),
    HEADER(ident[5], 2),
    HEADER(ident[6], 9),
    HEADER(type, 1),
    HEADER(type, 3),
    HEADER(type, 4),
    HEADER(machine, 62),
    HEADER(machine, 0),
    HEADER(phoff, 0xfffffffffffffff0),
    HEADER(phoff, 1UL << 40),
    HEADER(phoff, 100000),
    HEADER(phentsize, 0),
    HEADER(phentsize, 55),
    HEADER(phentsize, 65535),
    HEADER(phnum, 0),
    HEADER(phnum, 65535),
    HEADER(phnum, 200),
    HEADER(entry, 0),
    HEADER(entry, 1),
    HEADER(entry, 0x100b1),
    HEADER(entry, 0x20000000),
    HEADER(entry, 0xffffffc080200000),
    HEADER(entry, 0x8000000000),
    SEGMENT(type, 2),
    SEGMENT(type, 3),
    SEGMENT(type, 0),
    SEGMENT(flags, 0),
    SEGMENT(flags, 7),
    SEGMENT(flags, 6),
    SEGMENT(offset, 1UL << 40),
    SEGMENT(offset, 0xfffffffffffff000),
    SEGMENT(vaddr, 0),
    SEGMENT(vaddr, 0x3fffffc000),
    SEGMENT(vaddr, 0x4000000000),
    SEGMENT(vaddr, 0x3fffffb000),
    SEGMENT(vaddr, 0x8000000000),
    SEGMENT(vaddr, 0xffffffc080200000),
    SEGMENT(vaddr, 0xfffffffffffff000),
    SEGMENT(filesz, 0xffffffffffffffff),
    SEGMENT(filesz, 1UL << 40),
    SEGMENT(filesz, 8192),
    SEGMENT(memsz, 0),
    SEGMENT(memsz, 1),
    SEGMENT(memsz, 1UL << 40),
    SEGMENT(memsz, 0xffffffffffffffff),
    SEGMENT(memsz, 0xfffffffffffff000),
};

static void write_image(const char *path, long size_bytes)
{
	int fd = (int)CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));

	CHECK_EQ(write_full(fd, image, (size_t)size_bytes), size_bytes);
	close(fd);
}

/* The file must not run to its end, and a refused exec must leave the process whole. */
static void exec_image(long unused)
{
	char *const argv[] = {"image", NULL};
	volatile long on_stack = 77;

	int err = exec("image", argv);
	CHECK(err < 0);
	CHECK_EQ(on_stack, 77);
	exit(42);
}

static void check_image(const char *what)
{
	int status = run_child(exec_image, 0);

	if (status != 42)
		FAIL("%s: ended with status %d", what, status);
}

static void apply(const struct change *change)
{
	char *base = change->of_segment ? (char *)segment(0) : (char *)header();

	memcpy(base + change->offset, &change->value, change->size_bytes);
}

static void test_header_changes(void)
{
	load_image();
	write_image("image", image_bytes);
	CHECK_EQ(run_child(exec_image, 0), 0); /* unchanged, it is /bin/true */
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		load_image();
		apply(&changes[i]);
		write_image("image", image_bytes);
		check_image(changes[i].what);
	}
}

static void test_truncated(void)
{
	static const long lengths[] = {0, 1, 3, 4, 15, 16, 52, 63, 64, 65, 100, 119, 120, 150, 200};

	load_image();
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		write_image("image", lengths[i]);
		check_image("truncated");
	}
	write_image("image", image_bytes);
	CHECK_EQ(file_size("image"), image_bytes);
}

static void test_two_segments(void)
{
	load_image();
	/* A second one in the first one's place, and one that only touches its page. */
	for (int i = 0; i < 2; i++) {
		load_image();
		header()->phnum = 2;
		*segment(1) = *segment(0);
		if (i == 1) {
			segment(1)->vaddr += segment(0)->memsz;
			segment(1)->memsz = segment(1)->filesz = 16;
		}
		write_image("image", image_bytes);
		check_image("overlapping segments");
	}
	/* One with more memory than the machine has, never touched: it may start, or be refused. */
	load_image();
	header()->phnum = 2;
	*segment(1) =
	    (struct elf_segment){.type = 1, .flags = 6, .vaddr = 0x100000, .memsz = 1UL << 34, .align = 4096};
	write_image("image", image_bytes);
	int status = run_child(exec_image, 0);
	CHECK(status == 0 || status == 42);
}

/* Every bit of the headers turned over, some at a time: refused, killed or run, but nothing worse. */
static void exec_anything(long unused)
{
	char *const argv[] = {"image", NULL};

	exec("image", argv);
}

static void test_random_damage(void)
{
	uint64_t state = 11;

	for (int round = 0; round < 60; round++) {
		load_image();
		int nr = 1 + (int)(random_next(&state) % 3);
		while (nr-- > 0)
			((char *)image)[random_next(&state) % 200] ^= (char)(1 << random_next(&state) % 8);
		write_image("image", image_bytes);
		run_child(exec_anything, 0);
	}
}

const struct test tests_elf[] = {
    {"elf-headers", test_header_changes, 0, "each field of the headers wrong in turn"},
    {"elf-truncated", test_truncated, 0, "a program cut off anywhere"},
    {"elf-segments", test_two_segments, 0, "overlapping and enormous segments"},
    {"elf-damage", test_random_damage, TEST_SLOW, "random bits of the headers turned over"},
    {NULL, NULL, 0, NULL},
};
