/* SPDX-License-Identifier: MIT */
/*
 * Stands in for QEMU in the tests of `pagetrail run` and `record`: a guest whose harts (threads) fill trace rings in shared
 * memory, by the protocol of kernel/trace/ring.c: record, end time, content size with release; a packet is reused only
 * when it was consumed. So the drain is tested at full speed, with real concurrency, and without a kernel.
 *
 * Takes QEMU's command line as `pagetrail run` builds it. What it does comes in the environment:
 *   FAKE_EVENTS  records a hart (default 100); each is a `sample` whose free_pages counts up
 *   FAKE_END     "poweroff N" (default 0), "kill", "fail TEXT", "hang", "no-trace", or "prompt": as a shell at its prompt,
 *                it reads the console until ctrl-D
 *   FAKE_STRAY   after the records: a member of trace_desc that something writes on, "zeros" or "ones" (all of it)
 *   FAKE_MODE    stream (default) or flight
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uapi/trace_format.h>

#define RAM_BASE 0x80000000ULL
#define DEPOT_PA (RAM_BASE + 0x300000)
#define RINGS_PA (RAM_BASE + 0x400000)
#define RAMDISK_PA (RAM_BASE + 0x500000)
#define PACKET_BYTES 4096U
#define NR_PACKETS 4U
#define RING_STRIDE ((NR_PACKETS + 1) * PACKET_BYTES)
#define BOOT_ID 77

static uint8_t *ram;
static struct trace_desc *desc;
static uint64_t clock_ticks = 1000;
static uint32_t nr_events;

static void *memory(uint64_t pa)
{
	return ram + (pa - RAM_BASE);
}

/* Never goes back on any hart; not unique between harts, as the real one. */
static uint64_t now(void)
{
	return __atomic_add_fetch(&clock_ticks, 1, __ATOMIC_RELAXED) / 2;
}

static struct trace_packet_header *open_packet(uint32_t hart)
{
	struct trace_ring_desc *ring = &desc->rings[hart];
	uint64_t sequence = ring->opened;
	struct trace_packet_header *packet = memory(ring->base_pa + sequence % NR_PACKETS * PACKET_BYTES);
	uint64_t time = now();

	__atomic_store_n(&packet->content_size_bits, sizeof(*packet) * 8, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*packet = (struct trace_packet_header){.magic = TRACE_MAGIC,
					       .instance = (uint16_t)hart,
					       .packet_size_bits = PACKET_BYTES * 8,
					       .content_size_bits = sizeof(*packet) * 8,
					       .begin_time = time,
					       .end_time = time,
					       .sequence = sequence,
					       .cpu = hart,
					       .boot_id = BOOT_ID};
	__atomic_store_n(&ring->opened, sequence + 1, __ATOMIC_RELEASE);
	return packet;
}

static void *run_hart(void *arg)
{
	uint32_t hart = (uint32_t)(uintptr_t)arg;
	struct trace_ring_desc *ring = &desc->rings[hart];
	struct trace_packet_header *packet = open_packet(hart);
	uint32_t used = sizeof(*packet);

	for (uint32_t i = 0; i < nr_events; i++) {
		if (used + sizeof(struct trace_record) > PACKET_BYTES) {
			while (desc->mode == TRACE_STREAM &&
			       ring->opened - __atomic_load_n(&ring->consumed, __ATOMIC_ACQUIRE) >=
				   NR_PACKETS)
				sched_yield();
			packet = open_packet(hart);
			used = sizeof(*packet);
		}
		struct trace_record *record = (struct trace_record *)((uint8_t *)packet + used);
		*record = (struct trace_record){.time = now(), .event = EV_sample, .stack = 1};
		record->payload.ev_payload_sample.free_pages = i;
		used += sizeof(*record);
		packet->end_time = record->time;
		__atomic_store_n(&packet->content_size_bits, used * 8UL, __ATOMIC_RELEASE);
		ring->recorded++;
	}
	return NULL;
}

static void make_desc(uint32_t nr_harts, uint64_t ram_bytes)
{
	struct trace_packet_header *depot = memory(DEPOT_PA);
	struct trace_stack *stack = (struct trace_stack *)(depot + 1);
	const char *mode = getenv("FAKE_MODE");

	*depot = (struct trace_packet_header){.magic = TRACE_MAGIC,
					      .stream = TRACE_STREAM_STACKS,
					      .packet_size_bits = 65536 * 8,
					      .content_size_bits = (sizeof(*depot) + sizeof(*stack)) * 8,
					      .boot_id = BOOT_ID};
	*stack = (struct trace_stack){
	    .event = TRACE_STACK_EVENT, .nr_frames = 1, .stack = 1, .frames = {0x80200004}};
	desc->version = TRACE_DESC_VERSION;
	desc->nr_rings = nr_harts;
	desc->packet_bytes = PACKET_BYTES;
	desc->nr_packets = NR_PACKETS;
	desc->depot_pa = DEPOT_PA;
	desc->depot_bytes = 65536;
	desc->mode = mode && !strcmp(mode, "flight") ? TRACE_FLIGHT : TRACE_STREAM;
	desc->ram_start = RAM_BASE;
	desc->ram_end = RAM_BASE + ram_bytes;
	desc->ramdisk_start = RAMDISK_PA;
	desc->ramdisk_end = RAMDISK_PA + 4096;
	memset(memory(RAMDISK_PA), 'D', 4096);
	for (uint32_t i = 0; i < nr_harts; i++)
		desc->rings[i].base_pa = RINGS_PA + i * RING_STRIDE;
	__atomic_store_n(&desc->magic, TRACE_DESC_MAGIC, __ATOMIC_RELEASE);
}

/* What a wild pointer of the guest does to trace_desc, in the middle of its work. */
static void write_on_desc(const char *what)
{
	if (!strcmp(what, "nr_rings"))
		desc->nr_rings = 0xffffffff;
	else if (!strcmp(what, "packet_bytes"))
		desc->packet_bytes = 0xfffffff0;
	else if (!strcmp(what, "nr_packets"))
		desc->nr_packets = 0;
	else if (!strcmp(what, "depot_pa"))
		desc->depot_pa = 0x1234;
	else if (!strcmp(what, "base_pa"))
		desc->rings[0].base_pa = ~0ULL;
	else if (!strcmp(what, "opened"))
		desc->rings[0].opened = 1ULL << 60;
	else
		memset(desc, !strcmp(what, "ones") ? 0xff : 0, sizeof(*desc));
}

/* The value behind `key` in QEMU's words: of the option itself, or inside its list. */
static const char *word_of(int argc, char **argv, const char *key)
{
	for (int i = 1; i < argc; i++) {
		const char *found = strstr(argv[i], key);
		if (!strcmp(argv[i], key) && i + 1 < argc)
			return argv[i + 1];
		if (found && found[strlen(key)] == '=')
			return found + strlen(key) + 1;
	}
	return "";
}

static void run_guest(int argc, char **argv, uint64_t desc_pa)
{
	char path[256] = "";
	pthread_t threads[8];
	struct stat st;
	uint32_t nr_harts = (uint32_t)atoi(word_of(argc, argv, "-smp"));

	sscanf(word_of(argc, argv, "mem-path"), "%255[^,]", path);
	int fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) || nr_harts > 8)
		exit(3);
	ram = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	desc = memory(desc_pa);
	make_desc(nr_harts, (uint64_t)st.st_size);
	for (uint32_t i = 0; i < nr_harts; i++)
		pthread_create(&threads[i], NULL, run_hart, (void *)(uintptr_t)i);
	for (uint32_t i = 0; i < nr_harts; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	const char *end = getenv("FAKE_END") ? getenv("FAKE_END") : "poweroff 0";
	int status = 0;

	nr_events = getenv("FAKE_EVENTS") ? (uint32_t)atoi(getenv("FAKE_EVENTS")) : 100;
	if (!strncmp(end, "fail ", 5)) {
		fprintf(stderr, "%s\n", end + 5);
		return 1;
	}
	printf("fake guest: %s\n", word_of(argc, argv, "-append"));
	fflush(stdout);
	if (strcmp(end, "no-trace"))
		run_guest(argc, argv, strtoull(getenv("FAKE_DESC"), NULL, 0));
	if (getenv("FAKE_STRAY"))
		write_on_desc(getenv("FAKE_STRAY"));
	for (int i = 1; i <= 3; i++)
		printf("[ %d/3] test fake%d ...... %s before 1 after 1\n", i, i, i == 2 ? "FAILED" : "OK  ");
	fflush(stdout);
	if (!strcmp(end, "hang"))
		pause();
	for (int c = 0; !strcmp(end, "prompt") && c != 4 && c != EOF;)
		c = getchar();
	if (!strcmp(end, "prompt"))
		end = "poweroff 0";
	if (!strcmp(end, "kill"))
		raise(SIGKILL);
	if (sscanf(end, "poweroff %d", &status) == 1)
		desc->exit_status = (uint64_t)status + 1;
	return status;
}
