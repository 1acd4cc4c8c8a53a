/* SPDX-License-Identifier: MIT */
/*
 * "A packet is valid at every instant", taken literally: a child records, the parent lets it run one machine
 * instruction at a time and judges all packets of the ring and of the depot after each.
 */
#include <host/host_test.h>
#include <kernel/trace.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER_BITS (sizeof(struct trace_packet_header) * 8)

static u32 per_packet;
static char wrong[160];
#define WRONG(...) (ksnprintf(wrong, sizeof(wrong), __VA_ARGS__), wrong)

static void record_number(u32 number)
{
	u32 frames[3] = {0x1000 + number / 8, 0x2000, 0x3000}; /* a new stack now and then */

	host_set_stack(frames, 3);
	TRACE(sample, 0, 0, .free_pages = number, .pcp_pages = 0x1000 + number / 8, .dirty_pages = ~number);
}

static const char *judge_depot(void)
{
	const struct trace_packet_header *packet = pa_to_va(trace_desc.depot_pa);
	const struct trace_stack *stacks = (const struct trace_stack *)packet;
	u64 nr = packet->content_size_bits / 512 - 1;

	if (packet->content_size_bits % 512 || packet->end_time < packet->begin_time)
		return WRONG("the depot's header is wrong");
	for (u64 i = 1; i <= nr; i++)
		if (stacks[i].stack != i || stacks[i].event != TRACE_STACK_EVENT ||
		    stacks[i].time > packet->end_time || stacks[i].time < stacks[i - 1].time * (i > 1) ||
		    stacks[i].frames[1] != 0x2000 * (stacks[i].nr_frames == 3))
			return WRONG("stack %lu is not whole", (unsigned long)i);
	return NULL;
}

static const char *judge_record(const struct trace_packet_header *packet, u32 i)
{
	const struct trace_record *record = (const struct trace_record *)(packet + 1) + i;
	const struct trace_payload_sample *sample = &record->payload.ev_payload_sample;
	const struct trace_packet_header *depot = pa_to_va(trace_desc.depot_pa);
	const struct trace_stack *stack = (const struct trace_stack *)depot + record->stack;

	if (record->event != EV_sample || sample->dirty_pages != ~sample->free_pages)
		return WRONG("record %u of packet %lu is not whole", i, (unsigned long)packet->sequence);
	if (sample->free_pages != packet->sequence * per_packet + i)
		return WRONG("record %u of packet %lu is number %u", i, (unsigned long)packet->sequence,
			     sample->free_pages);
	if (record->time < packet->begin_time || record->time > packet->end_time)
		return WRONG("record %u of packet %lu lies outside its time", i,
			     (unsigned long)packet->sequence);
	if (record->stack >= depot->content_size_bits / 512 || stack->frames[0] != sample->pcp_pages)
		return WRONG("record %u of packet %lu names a stack that is not there", i,
			     (unsigned long)packet->sequence);
	return NULL;
}

static const char *judge_packet(u32 slot)
{
	const struct trace_packet_header *packet =
	    pa_to_va(trace_desc.rings[0].base_pa + slot * trace_desc.packet_bytes);
	u64 bits = packet->content_size_bits;
	const char *broken = NULL;

	if (packet->magic != TRACE_MAGIC || packet->stream != TRACE_STREAM_EVENTS ||
	    packet->packet_size_bits != trace_desc.packet_bytes * 8UL || bits < HEADER_BITS ||
	    bits > packet->packet_size_bits || (bits - HEADER_BITS) % 256 ||
	    packet->begin_time > packet->end_time || packet->sequence % trace_desc.nr_packets != slot)
		return WRONG("the header of slot %u is wrong", slot);
	for (u32 i = 0; i < (bits - HEADER_BITS) / 256 && !broken; i++)
		broken = judge_record(packet, i);
	return broken;
}

static const char *judge_all(void)
{
	const char *broken = judge_depot();

	for (u32 slot = 0; slot < trace_desc.nr_packets && !broken; slot++)
		broken = judge_packet(slot);
	return broken;
}

static void child(u32 first, u32 end)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (u32 number = first; number < end; number++)
		record_number(number);
	_exit(0);
}

/* TRACE-1: a packet is valid after every instruction. */
static void test_every_instruction(void **state)
{
	u32 first, end, nr_steps = 0;
	const char *broken = NULL;
	int status;
	pid_t pid;

	host_bootargs = "trace.rings=16";
	host_boot_trace(8 << 20, trace_memory_wanted(8 << 20, 1), 1);
	per_packet = (trace_desc.packet_bytes - 64) / 32;
	first = trace_desc.nr_packets * per_packet - 3;
	end = first + per_packet + 6; /* over two edges, both onto packets that are full */
	for (u32 number = 0; number < first; number++)
		record_number(number);
	assert_null(judge_all());
	pid = fork();
	if (pid == 0)
		child(first, end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (WIFSTOPPED(status) && !broken) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			skip(); /* not allowed here */
		}
		waitpid(pid, &status, 0);
		broken = judge_all();
		nr_steps++;
	}
	if (broken) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		fail_msg("after %u instructions: %s", nr_steps, broken);
	}
	assert_true(WIFEXITED(status));
	assert_true(nr_steps > 10 * (end - first));
	assert_int_equal(
	    ((const struct trace_packet_header *)pa_to_va(trace_desc.rings[0].base_pa))->sequence,
	    trace_desc.nr_packets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_instruction)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
