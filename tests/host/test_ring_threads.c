/* SPDX-License-Identifier: MIT */
/*
 * The rings with threads as harts: writers that record as fast as they can, a consumer that drains closed packets as
 * the host does, and a reader that judges every packet at any moment, open or closed.
 *
 * Every record carries a checksum, its number, and a stack whose frames follow from its number, so that a record that
 * is torn, lost, doubled, out of order or published before its stack is found.
 */
#include <host/host_test.h>
#include <kernel/trace.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { WRITERS = 4, STACKS = 500 };

static u32 nr_records; /* of each writer */

struct seen {
	u64 next_sequence;
	u32 next_number;
	u64 last_time;
	u64 discarded;
	u64 missing; /* numbers not seen */
};

static bool writers_done;
static u32 errors;
static char error_text[256];

#define REPORT(...)                                                                                          \
	do {                                                                                                 \
		if (__atomic_fetch_add(&errors, 1, __ATOMIC_RELAXED) == 0)                                   \
			ksnprintf(error_text, sizeof(error_text), __VA_ARGS__);                              \
	} while (0)

static u32 checksum(u32 hart, u32 number)
{
	u64 x = ((u64)hart << 32 | number) * 0x9e3779b97f4a7c15UL;

	return (u32)(x >> 29);
}

static u32 stack_frames(u32 number, u32 *frames)
{
	u32 which = number % STACKS, nr = 1 + which % TRACE_STACK_FRAMES;

	for (u32 i = 0; i < nr; i++)
		frames[i] = which * 64 + i;
	return nr;
}

static void *writer(void *arg)
{
	u32 hart = (u32)(uintptr_t)arg, frames[TRACE_STACK_FRAMES];

	host_hart = hart;
	for (u32 number = 0; number < nr_records; number++) {
		host_set_stack(frames, stack_frames(number, frames));
		TRACE(page_get, (u8)hart, 0, .pfn = number, .index = checksum(hart, number));
	}
	return NULL;
}

/* The stack must be in the depot, whole, when a record names it (TRACE-3). */
static void judge_stack(const struct trace_record *record, u32 number)
{
	u32 frames[TRACE_STACK_FRAMES], nr = stack_frames(number, frames), have_nr;
	const u32 *have;

	have_nr = trace_stack_frames(record->stack, &have);
	if (have_nr != nr || memcmp(have, frames, nr * 4))
		REPORT("record %u names stack %u, which has %u frames", number, record->stack, have_nr);
}

static bool judge_record(const struct trace_record *record, u32 hart, u64 after)
{
	u32 number = record->payload.ev_payload_page_get.pfn;

	if (record->event != EV_page_get || record->kind != hart ||
	    record->payload.ev_payload_page_get.index != checksum(hart, number)) {
		REPORT("hart %u: torn record %u", hart, number);
		return false;
	}
	if (record->time < after)
		REPORT("hart %u: time goes back at record %u", hart, number);
	judge_stack(record, number);
	return true;
}

static bool judge_header(const struct trace_packet_header *packet, u32 hart)
{
	if (packet->magic != TRACE_MAGIC || packet->cpu != hart ||
	    packet->packet_size_bits != trace_desc.packet_bytes * 8UL ||
	    packet->content_size_bits > packet->packet_size_bits || (packet->content_size_bits - 512) % 256) {
		REPORT("hart %u: bad header", hart);
		return false;
	}
	return true;
}

static const struct trace_packet_header *slot(u32 hart, u64 sequence)
{
	return pa_to_va(trace_desc.rings[hart].base_pa +
			sequence % trace_desc.nr_packets * trace_desc.packet_bytes);
}

/* What the host's consumer does with one packet; `seen` is where the stream stands. */
static void consume(const struct trace_packet_header *packet, u32 hart, struct seen *seen)
{
	const struct trace_record *records = (const struct trace_record *)(packet + 1);
	u32 nr = (u32)((packet->content_size_bits - 512) / 256);

	if (!judge_header(packet, hart))
		return;
	if (packet->sequence != seen->next_sequence++)
		REPORT("hart %u: packet %lu is number %lu", hart, (unsigned long)seen->next_sequence - 1,
		       (unsigned long)packet->sequence);
	if (packet->begin_time < seen->last_time || packet->events_discarded < seen->discarded)
		REPORT("hart %u: packet %lu goes back", hart, (unsigned long)packet->sequence);
	seen->discarded = packet->events_discarded;
	seen->last_time = packet->begin_time;
	for (u32 i = 0; i < nr && judge_record(&records[i], hart, seen->last_time); i++) {
		u32 number = records[i].payload.ev_payload_page_get.pfn;

		if (number < seen->next_number)
			REPORT("hart %u: record %u twice", hart, number);
		seen->missing += number - seen->next_number;
		seen->next_number = number + 1;
		seen->last_time = records[i].time;
	}
	if (seen->last_time > packet->end_time)
		REPORT("hart %u: packet %lu ends before its last record", hart,
		       (unsigned long)packet->sequence);
}

static struct seen seen[WRITERS];
static u32 consumer_laziness; /* of a thousand packets so many are left waiting for a while */

static bool drain_closed(u32 hart)
{
	struct trace_ring_desc *ring = &trace_desc.rings[hart];
	u64 opened = __atomic_load_n(&ring->opened, __ATOMIC_ACQUIRE);

	if (ring->consumed + 1 >= opened)
		return false;
	consume(slot(hart, ring->consumed), hart, &seen[hart]);
	__atomic_store_n(&ring->consumed, ring->consumed + 1, __ATOMIC_RELEASE);
	return true;
}

static void *consumer(void *arg)
{
	u64 random = 1;

	for (;;) {
		bool done = __atomic_load_n(&writers_done, __ATOMIC_ACQUIRE), moved = false;

		for (u32 hart = 0; hart < WRITERS; hart++)
			moved |= drain_closed(hart);
		random = random * 6364136223846793005UL + 1442695040888963407UL;
		if (consumer_laziness && (random >> 33) % 1000 < consumer_laziness)
			for (u32 i = 0; i < 200; i++)
				sched_yield();
		if (!moved && done)
			break;
		if (!moved)
			sched_yield();
	}
	for (u32 hart = 0; hart < WRITERS; hart++) /* the machine is dead: the open packets are ours, too */
		consume(slot(hart, trace_desc.rings[hart].opened - 1), hart, &seen[hart]);
	return NULL;
}

static void judge_copy(const struct trace_packet_header *packet, u32 hart, u64 sequence)
{
	const struct trace_record *records = (const struct trace_record *)(packet + 1);

	if (!judge_header(packet, hart))
		return;
	if (packet->sequence != sequence || packet->end_time < packet->begin_time)
		REPORT("hart %u: packet %lu is not valid", hart, (unsigned long)sequence);
	for (u32 i = 0; i < (packet->content_size_bits - 512) / 256; i++)
		if (!judge_record(&records[i], hart, packet->begin_time))
			break;
}

/* As the host does it: copy, and believe the copy if the slot was not reused meanwhile (RING-3). */
static bool copy_from_outside(u32 hart, u64 slot_number, struct trace_packet_header *copy)
{
	const struct trace_packet_header *packet = slot(hart, slot_number);
	u64 sequence = __atomic_load_n(&packet->sequence, __ATOMIC_ACQUIRE);
	u64 bits = __atomic_load_n(&packet->content_size_bits, __ATOMIC_ACQUIRE);

	memcpy(copy, packet, bits / 8 <= trace_desc.packet_bytes ? bits / 8 : sizeof(*packet));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&packet->sequence, __ATOMIC_RELAXED) != sequence ||
	    __atomic_load_n(&packet->content_size_bits, __ATOMIC_RELAXED) < bits)
		return false;
	copy->content_size_bits = bits;
	judge_copy(copy, hart, sequence);
	return true;
}

/* Looks at any packet at any moment, open or closed, by turns from outside and through the kernel's own reader. */
static void *judge(void *arg)
{
	struct trace_packet_header *copy = malloc(trace_desc.packet_bytes);
	u64 nr_judged = 0, cursors[WRITERS] = {0};

	for (u32 i = 0; !__atomic_load_n(&writers_done, __ATOMIC_ACQUIRE); i++) {
		u32 hart = i % WRITERS;

		nr_judged += copy_from_outside(hart, i / WRITERS, copy);
		if (trace_read_packet(hart, &cursors[hart], copy, trace_desc.packet_bytes))
			judge_copy(copy, hart, cursors[hart] - 1);
	}
	free(copy);
	return (void *)(uintptr_t)nr_judged;
}

static u64 run(u32 nr, bool with_consumer)
{
	pthread_t writers[WRITERS], consumer_thread, judge_thread;
	void *nr_judged;

	memset(seen, 0, sizeof(seen));
	writers_done = false;
	errors = 0;
	nr_records = nr;
	pthread_create(&judge_thread, NULL, judge, NULL);
	if (with_consumer)
		pthread_create(&consumer_thread, NULL, consumer, NULL);
	for (u32 i = 0; i < WRITERS; i++)
		pthread_create(&writers[i], NULL, writer, (void *)(uintptr_t)i);
	for (u32 i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	__atomic_store_n(&writers_done, true, __ATOMIC_RELEASE);
	if (with_consumer)
		pthread_join(consumer_thread, NULL);
	pthread_join(judge_thread, &nr_judged);
	if (errors)
		fail_msg("%u errors, first: %s", errors, error_text);
	assert_int_equal(trace_nr_stacks(), STACKS);
	return (u64)(uintptr_t)nr_judged;
}

/* More than a million records through rings of 32 KiB, and none is missing. (RING-1, DEPOT-1) */
static void test_stream_loses_nothing(void **state)
{
	host_bootargs = "trace=stream trace.rings=32";
	host_boot_trace(16 << 20, trace_memory_wanted(16 << 20, WRITERS), WRITERS);
	trace_desc.consumer = 1;
	host_relax_ticks = 1;
	consumer_laziness = 20;
	assert_true(run(260000, true) > 100);
	for (u32 hart = 0; hart < WRITERS; hart++) {
		assert_int_equal(seen[hart].missing, 0);
		assert_int_equal(seen[hart].next_number, nr_records);
		assert_int_equal(trace_desc.rings[hart].recorded, nr_records);
		assert_int_equal(trace_desc.rings[hart].discarded, 0);
	}
}

/* A consumer that comes too late now and then: what is missing is exactly what was counted as discarded. (RING-4) */
static void test_stream_counts_losses(void **state)
{
	u64 discarded = 0;

	host_bootargs = "trace=stream trace.rings=16";
	host_boot_trace(16 << 20, trace_memory_wanted(16 << 20, WRITERS), WRITERS);
	trace_desc.consumer = 1;
	host_relax_ticks = TIME_HZ / 4;
	consumer_laziness = 500;
	run(60000, true);
	for (u32 hart = 0; hart < WRITERS; hart++) {
		const struct trace_ring_desc *ring = &trace_desc.rings[hart];

		assert_int_equal(ring->recorded + ring->discarded, nr_records);
		assert_int_equal(seen[hart].missing + (nr_records - seen[hart].next_number), ring->discarded);
		assert_int_equal(seen[hart].discarded, ring->discarded); /* the last header says it all */
		discarded += ring->discarded;
	}
	assert_true(discarded > 0);
}

/* RING-2: each slot is a valid packet at every instant. */
static void test_flight_stays_valid(void **state)
{
	struct trace_totals totals;
	u64 held = 0;

	host_bootargs = "trace.rings=16";
	host_boot_trace(16 << 20, trace_memory_wanted(16 << 20, WRITERS), WRITERS);
	assert_true(run(60000, false) > 100);
	trace_totals(&totals);
	for (u32 hart = 0; hart < WRITERS; hart++) {
		u64 opened = trace_desc.rings[hart].opened;

		seen[hart] = (struct seen){.next_sequence = opened - trace_desc.nr_packets};
		for (u64 s = opened - trace_desc.nr_packets; s < opened; s++) {
			held += (slot(hart, s)->content_size_bits - 512) / 256;
			consume(slot(hart, s), hart, &seen[hart]);
		}
		assert_int_equal(seen[hart].next_number, nr_records);
	}
	assert_int_equal(errors, 0);
	assert_int_equal(totals.recorded, (u64)WRITERS * nr_records);
	assert_int_equal(totals.discarded, 0);
	assert_int_equal(totals.overwritten, totals.recorded - held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stream_loses_nothing),
	    cmocka_unit_test(test_stream_counts_losses),
	    cmocka_unit_test(test_flight_stays_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
