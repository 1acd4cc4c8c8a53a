/* SPDX-License-Identifier: MIT */
/* The trace as one hart sees it: layout, depot, modes, and every way of reading it. */
#include <host/host_test.h>
#include <kernel/trace.h>
#include <stdlib.h>

#define HEADER_BITS (sizeof(struct trace_packet_header) * 8)

static void boot(u64 ram_bytes, u32 harts_, const char *bootargs)
{
	host_bootargs = bootargs;
	host_relax_ticks = 1000; /* nobody else runs: waiting need not take long */
	host_boot_trace(ram_bytes, trace_memory_wanted(ram_bytes, harts_), harts_);
}

static struct trace_packet_header *packet_at(u32 hart, u64 sequence)
{
	u64 slot = sequence % trace_desc.nr_packets;

	return pa_to_va(trace_desc.rings[hart].base_pa + slot * trace_desc.packet_bytes);
}

static u32 events_in(const struct trace_packet_header *packet)
{
	return (u32)((packet->content_size_bits - HEADER_BITS) / 256);
}

static u32 events_per_packet(void)
{
	return (trace_desc.packet_bytes - 64) / 32;
}

static void record_number(u32 number)
{
	TRACE_BARE(sample, 0, 0, .free_pages = number, .dirty_pages = ~number);
}

static u32 number_of(const struct trace_record *record)
{
	assert_int_equal(record->payload.ev_payload_sample.dirty_pages,
			 ~record->payload.ev_payload_sample.free_pages);
	return record->payload.ev_payload_sample.free_pages;
}

/* ---- memory ---- */

static void test_budget(void **state)
{
	static const u64 rams_mib[] = {8, 16, 32, 64, 128, 256, 1024};

	for (u32 i = 0; i < ARRAY_SIZE(rams_mib); i++) {
		u64 ram_bytes = rams_mib[i] << 20, pages_in_ram = ram_bytes / PAGE_SIZE;

		for (u32 n = 1; n <= (rams_mib[i] == 8 ? 4 : NR_HARTS_MAX); n++) {
			size_t bytes;

			host_bootargs = NULL;
			bytes = trace_memory_wanted(ram_bytes, n);
			assert_true(bytes % PAGE_SIZE == 0);
			assert_true((bytes + pages_in_ram * 32) / PAGE_SIZE * 100 <=
				    (pages_in_ram - 512) * 6);
			if (rams_mib[i] > 64)
				continue;
			boot(ram_bytes, n, NULL);
			if (rams_mib[i] >= 64) {
				assert_int_equal(trace_desc.packet_bytes, 65536);
				assert_true(trace_desc.depot_bytes >= 8192 * 64);
			}
			for (u32 a = 0; a < n; a++)
				for (u32 b = 0; b < a; b++)
					assert_int_not_equal(
					    (trace_desc.rings[a].base_pa - trace_desc.rings[b].base_pa) %
						(1 << 20),
					    0);
		}
	}
}

static void test_asked_rings(void **state)
{
	boot(128 << 20, 2, "quiet trace.rings=1024");
	assert_int_equal(trace_desc.packet_bytes * trace_desc.nr_packets, 1 << 20);
	assert_int_equal(trace_desc.packet_bytes, 65536);
	boot(128 << 20, 2, "trace.rings=16 trace=off");
	assert_int_equal(trace_desc.packet_bytes, 4096);
	assert_int_equal(trace_desc.nr_packets, 4);
	assert_int_equal(trace_mode(), TRACE_OFF);
	assert_int_equal(trace_mask, 0);
	boot(128 << 20, 1, "trace=stream trace.mask=0x3");
	assert_int_equal(trace_mode(), TRACE_STREAM);
	assert_int_equal(trace_mask, 3);
	boot(128 << 20, 1, NULL);
	assert_int_equal(trace_mode(), TRACE_FLIGHT);
	assert_int_equal(trace_mask, TRACE_MASK_ALL);
}

static void test_desc(void **state)
{
	boot(128 << 20, 3, NULL);
	assert_true(trace_desc.magic == TRACE_DESC_MAGIC);
	assert_int_equal((u64)&trace_desc % PAGE_SIZE, 0);
	assert_int_equal(trace_desc.nr_rings, 3);
	for (u32 hart = 0; hart < 3; hart++)
		for (u32 i = 0; i < trace_desc.nr_packets; i++) {
			const struct trace_packet_header *packet = packet_at(hart, i);

			assert_true(packet->magic == TRACE_MAGIC);
			assert_int_equal(packet->instance, hart);
			assert_int_equal(packet->cpu, hart);
			assert_int_equal(packet->content_size_bits, HEADER_BITS);
			assert_int_equal(packet->packet_size_bits, trace_desc.packet_bytes * 8);
		}
}

/* ---- records ---- */

static void test_record_bytes(void **state)
{
	const struct trace_packet_header *packet;
	const u8 *bytes;
	u64 time;

	boot(128 << 20, 2, NULL);
	host_hart = 1;
	TRACE_BARE(page_get, 7, 0x51, .pfn = 0x80412, .index = 0x01020304, .before = 1, .after = 2, .pid = 3,
		   .holder = 9);
	host_hart = 0;
	packet = packet_at(1, 0);
	assert_int_equal(events_in(packet), 1);
	assert_int_equal(events_in(packet_at(0, 0)), 0);
	bytes = (const u8 *)(packet + 1);
	memcpy(&time, bytes, 8);
	assert_true(time >= packet->begin_time && time == packet->end_time);
	assert_memory_equal(bytes + 8, ((const u8[]){3, 0, 0x51, 7, 0, 0, 0, 0}), 8);
	assert_memory_equal(bytes + 16, ((const u8[]){0x12, 4, 8, 0, 4, 3, 2, 1, 1, 0, 2, 0, 3, 0, 9, 0}),
			    16);
	assert_int_equal(trace_desc.rings[1].recorded, 1);
}

static void test_mask(void **state)
{
	int evaluated = 0;

	boot(128 << 20, 1, NULL);
	trace_set_mask(1U << TRACE_CATEGORY_OBJECT);
	TRACE_BARE(page_get, 0, 0, .pfn = (u32)++evaluated);
	assert_int_equal(evaluated, 0);
	TRACE_BARE(obj_free, 0, 0, .obj = (u32)++evaluated);
	assert_int_equal(evaluated, 1);
	assert_int_equal(trace_desc.rings[0].recorded, 1);
	assert_int_equal(trace_set_mode(TRACE_OFF), 0);
	TRACE_BARE(obj_free, 0, 0, .obj = (u32)++evaluated);
	assert_int_equal(evaluated, 1);
	assert_int_equal(trace_stack_here(1), 0);
	assert_int_equal(trace_set_mode(TRACE_FLIGHT), 0);
	assert_int_equal(trace_mask, 1U << TRACE_CATEGORY_OBJECT);
	assert_int_not_equal(trace_stack_here(1), 0);
	assert_int_not_equal(trace_set_mode(7), 0);
}

/* ---- the depot ---- */

static void random_stack(u32 number, u32 *frames, u32 *nr)
{
	u64 state = number * 0x9e3779b97f4a7c15UL + 1;

	*nr = 1 + number % TRACE_STACK_FRAMES;
	for (u32 i = 0; i < *nr; i++) {
		state = state * 6364136223846793005UL + 1442695040888963407UL;
		frames[i] = (u32)(state >> 40);
	}
}

static void test_depot(void **state)
{
	enum { STACKS = 3000 };
	static u32 ids[STACKS];
	const struct trace_packet_header *packet;
	const struct trace_stack *stacks;
	u32 frames[TRACE_STACK_FRAMES], nr;

	boot(128 << 20, 1, NULL);
	host_random_start();
	for (u32 i = 0; i < 3 * STACKS; i++) {
		u32 number = (u32)host_random_below(STACKS), id;

		random_stack(number, frames, &nr);
		host_set_stack(frames, nr);
		id = trace_stack_here(1);
		assert_int_not_equal(id, 0);
		assert_true(ids[number] == 0 || ids[number] == id);
		ids[number] = id;
	}
	packet = pa_to_va(trace_desc.depot_pa);
	stacks = (const struct trace_stack *)packet;
	assert_int_equal(packet->stream, TRACE_STREAM_STACKS);
	assert_int_equal(packet->content_size_bits, (trace_nr_stacks() + 1) * 512);
	for (u32 i = 1; i <= trace_nr_stacks(); i++) {
		assert_int_equal(stacks[i].stack, i);
		assert_int_equal(stacks[i].event, TRACE_STACK_EVENT);
		assert_true(i == 1 || stacks[i].time >= stacks[i - 1].time);
		assert_true(stacks[i].time >= packet->begin_time && stacks[i].time <= packet->end_time);
	}
	for (u32 number = 0; number < STACKS; number++) {
		const u32 *have;

		if (!ids[number])
			continue;
		random_stack(number, frames, &nr);
		assert_int_equal(trace_stack_frames(ids[number], &have), nr);
		assert_memory_equal(have, frames, nr * 4);
		for (u32 i = nr; i < TRACE_STACK_FRAMES; i++)
			assert_int_equal(have[i], 0);
	}
	assert_int_equal(trace_stack_frames(0, NULL), 0);
	assert_int_equal(trace_stack_frames(trace_nr_stacks() + 1, NULL), 0);
}

/* Stacks that differ in their last frames only, many enough that some meet at one place of the index. */
static void test_depot_tails(void **state)
{
	u32 frames[TRACE_STACK_FRAMES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0};

	boot(128 << 20, 1, NULL);
	for (u32 i = 1; i <= 8000; i++) {
		frames[10] = i % 90 + 1;
		frames[11] = i / 90 + 1;
		host_set_stack(frames, TRACE_STACK_FRAMES);
		assert_int_equal(trace_stack_here(1), i);
	}
}

/* Another hart inserts the same new stack just before this one takes the lock: both get one id. */
static u32 other_id;

static void other_hart_meets_it(void)
{
	host_hart = 1;
	other_id = trace_stack_here(1);
	host_hart = 0;
}

/* DEPOT-2: . */
static void test_depot_race(void **state)
{
	static const u32 frames[] = {5, 6, 7};

	boot(128 << 20, 2, NULL);
	host_set_stack(frames, 3);
	host_irq_hook = other_hart_meets_it;
	assert_int_equal(trace_stack_here(1), 1);
	assert_int_equal(other_id, 1);
	assert_int_equal(trace_nr_stacks(), 1);
}

static void test_depot_full(void **state)
{
	struct trace_totals totals;
	u32 frames[TRACE_STACK_FRAMES], nr, max;

	boot(8 << 20, 4, NULL);
	max = (u32)(trace_desc.depot_bytes / 64) - 1;
	for (u32 i = 0; i < max + 10; i++) {
		random_stack(i, frames, &nr);
		host_set_stack(frames, nr);
		assert_int_equal(trace_stack_here(1), i < max ? i + 1 : 0);
	}
	trace_totals(&totals);
	assert_int_equal(totals.stacks_dropped, 10);
	assert_int_equal(trace_nr_stacks(), max);
	random_stack(5, frames, &nr); /* known ones are still known */
	host_set_stack(frames, nr);
	assert_int_equal(trace_stack_here(1), 6);
	host_set_stack(NULL, 0);
	assert_int_equal(trace_stack_here(1), 0);
}

/* ---- modes ---- */

static void test_flight(void **state)
{
	struct trace_totals totals;
	u32 total = 0, in_rings = 0;

	boot(8 << 20, 1, NULL);
	while (total < events_per_packet() * 11 + 17) {
		record_number(total++);
		trace_totals(&totals);
		assert_int_equal(totals.recorded, total);
	}
	for (u64 s = trace_desc.rings[0].opened - trace_desc.nr_packets; s < trace_desc.rings[0].opened;
	     s++) {
		const struct trace_packet_header *packet = packet_at(0, s);
		const struct trace_record *records = (const struct trace_record *)(packet + 1);

		assert_int_equal(packet->sequence, s);
		assert_int_equal(packet->events_discarded, 0);
		for (u32 i = 0; i < events_in(packet); i++)
			assert_int_equal(number_of(&records[i]), s * events_per_packet() + i);
		in_rings += events_in(packet);
	}
	assert_int_equal(totals.discarded, 0);
	assert_int_equal(totals.overwritten, total - in_rings);
}

/* Whatever flight mode has overwritten, the facts stand in the ring; in stream mode they are recorded once. */
static void test_facts(void **state)
{
	const union trace_payload names[2] = {{.ev_payload_cache_info = {.cache = 1, .name = "one"}},
					      {.ev_payload_cache_info = {.cache = 2, .name = "two"}}};

	boot(8 << 20, 1, NULL);
	trace_record_fact(EV_cache_info, &names[0]);
	trace_record_fact(EV_cache_info, &names[1]);
	for (u32 i = 0; i < events_per_packet() * 23; i++) {
		u32 seen = 0, nr = trace_desc.nr_packets;
		u64 opened = trace_desc.rings[0].opened;

		record_number(i);
		for (u64 s = opened > nr ? opened - nr : 0; s < opened && i % 7 == 0; s++) {
			const struct trace_record *records =
			    (const struct trace_record *)(packet_at(0, s) + 1);

			for (u32 k = 0; k < events_in(packet_at(0, s)); k++)
				if (records[k].event == EV_cache_info)
					seen |= 1U << records[k].payload.ev_payload_cache_info.cache;
		}
		assert_true(i % 7 || seen == (1 << 1 | 1 << 2));
	}
	boot(8 << 20, 1, "trace=stream");
	trace_desc.consumer = 1;
	trace_record_fact(EV_cache_info, &names[0]);
	for (u32 i = 0; i < events_per_packet() * 9; i++) {
		trace_desc.rings[0].consumed = trace_desc.rings[0].opened - 1;
		record_number(i);
	}
	assert_int_equal(trace_desc.rings[0].recorded, events_per_packet() * 9 + 1);
}

/* TRACE-2: . */
static void test_stream_discards(void **state)
{
	struct trace_ring_desc *ring = &trace_desc.rings[0];
	u32 capacity, lost;
	u64 began;

	boot(8 << 20, 1, "trace=stream");
	trace_desc.consumer = 1;
	capacity = events_per_packet() * trace_desc.nr_packets;
	for (u32 i = 0; i < capacity; i++)
		record_number(i);
	assert_int_equal(ring->discarded, 0);
	began = host_time;
	record_number(0);
	assert_int_equal(ring->discarded, 1);
	assert_true(host_time - began >= TIME_HZ && host_time - began < 2 * TIME_HZ);
	began = host_time;
	for (lost = 1; lost < 1000; lost++)
		record_number(0);
	assert_true(host_time - began < 20000); /* a consumer that is gone is not waited for again */
	assert_int_equal(ring->discarded, lost);
	assert_int_equal(packet_at(0, ring->opened - 1)->events_discarded, lost);
	assert_int_equal(packet_at(0, 0)->events_discarded, 0);
	assert_int_equal(ring->recorded, capacity);

	ring->consumed = 1; /* it came back */
	record_number(capacity);
	assert_int_equal(ring->opened, trace_desc.nr_packets + 1);
	assert_int_equal(packet_at(0, trace_desc.nr_packets)->sequence, trace_desc.nr_packets);
	assert_int_equal(packet_at(0, trace_desc.nr_packets)->events_discarded, lost);
	assert_int_equal(ring->recorded, capacity + 1);
	trace_desc.consumer = 0;
	for (u32 i = 1; i < events_per_packet(); i++)
		record_number(capacity + i);
	began = host_time;
	record_number(0); /* nobody there: no waiting at all */
	assert_true(host_time - began < 100);
	assert_int_equal(ring->discarded, lost + 1);
}

static void test_late_consumer(void **state)
{
	u64 began;

	boot(8 << 20, 1, "trace=stream"); /* the host has not attached yet: one wait is granted */
	for (u32 i = 0; i < events_per_packet() * trace_desc.nr_packets; i++)
		record_number(i);
	began = host_time;
	record_number(0);
	assert_true(host_time - began >= TIME_HZ);
	began = host_time;
	record_number(0);
	assert_true(host_time - began < 100);
}

/* What flight mode overwrote must not make stream mode believe that the ring is full. */
static void test_flight_to_stream(void **state)
{
	boot(8 << 20, 1, NULL);
	for (u32 i = 0; i < events_per_packet() * 9; i++)
		record_number(i);
	assert_int_equal(trace_set_mode(TRACE_STREAM), 0);
	assert_int_equal(trace_desc.rings[0].consumed, 9 - trace_desc.nr_packets);
}

/* ---- reading ---- */

static void test_newest(void **state)
{
	static struct trace_record out[4096];
	u32 share, got, total = 0;

	boot(8 << 20, 2, NULL);
	assert_int_equal(trace_newest(out, sizeof(out)), 0);
	while (total < events_per_packet() * 6 + 5) {
		host_hart = total & 1;
		record_number(total++);
	}
	host_hart = 0;
	share = events_per_packet() + 100;
	got = (u32)(trace_newest(out, 2 * share * sizeof(*out) + 31) / sizeof(*out));
	assert_int_equal(got, 2 * share);
	for (u32 i = 0; i < share; i++) {
		assert_int_equal(number_of(&out[i]) & 1, 0);
		assert_int_equal(number_of(&out[share + i]) & 1, 1);
		assert_int_equal(number_of(&out[i]) / 2, (total + 1) / 2 - share + i);
		assert_int_equal(number_of(&out[share + i]) / 2, total / 2 - share + i);
	}
	assert_int_equal(trace_newest(out, 31), 0);
	assert_int_equal(trace_newest(out, 64), 64);
}

static void test_read_packets(void **state)
{
	u32 total = 0, next = 0;
	u64 cursor = 0, opened;
	u8 *buf;

	boot(8 << 20, 1, "trace=stream");
	buf = malloc(trace_desc.packet_bytes);
	assert_int_equal(trace_read_packet(0, &cursor, buf, trace_desc.packet_bytes), 0);
	for (u32 round = 0; round < 20; round++) {
		while (total < (round + 1) * (events_per_packet() * 2 - 3))
			record_number(total++);
		opened = trace_desc.rings[0].opened;
		/* whole packets only: the open one is left for the next round, or for the end */
		while ((cursor < opened - 1 || round == 19) &&
		       trace_read_packet(0, &cursor, buf, trace_desc.packet_bytes)) {
			const struct trace_packet_header *packet = (const struct trace_packet_header *)buf;
			const struct trace_record *records = (const struct trace_record *)(packet + 1);

			for (u32 i = 0; i < events_in(packet); i++)
				assert_int_equal(number_of(&records[i]), next++);
		}
	}
	assert_int_equal(next, total);
	assert_int_equal(trace_desc.rings[0].discarded, 0);
	cursor = 0;
	assert_int_equal(trace_read_packet(0, &cursor, buf, 100), 0);
	assert_int_equal(trace_read_packet(5, &cursor, buf, trace_desc.packet_bytes), 0);
	free(buf);
}

static void test_read_depot(void **state)
{
	u8 *copy;
	u64 cursor = 0;
	size_t got, total = 0;

	boot(8 << 20, 2, NULL);
	trace_stack_here(1);
	copy = malloc(trace_desc.depot_bytes + 1000);
	while ((got = trace_read_packet(2, &cursor, copy + total, 1000)))
		total += got;
	assert_int_equal(total, trace_desc.depot_bytes);
	assert_memory_equal(copy, pa_to_va(trace_desc.depot_pa), total);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_budget),        cmocka_unit_test(test_asked_rings),
	    cmocka_unit_test(test_desc),          cmocka_unit_test(test_record_bytes),
	    cmocka_unit_test(test_mask),          cmocka_unit_test(test_depot),
	    cmocka_unit_test(test_depot_full),    cmocka_unit_test(test_depot_tails),
	    cmocka_unit_test(test_depot_race),    cmocka_unit_test(test_flight),
	    cmocka_unit_test(test_facts),         cmocka_unit_test(test_stream_discards),
	    cmocka_unit_test(test_late_consumer), cmocka_unit_test(test_flight_to_stream),
	    cmocka_unit_test(test_newest),        cmocka_unit_test(test_read_packets),
	    cmocka_unit_test(test_read_depot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
