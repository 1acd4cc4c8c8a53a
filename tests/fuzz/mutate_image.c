/* SPDX-License-Identifier: MIT */
/*
 * mutate_image: changes the words of a memory that tell where things are: trace_desc, packet headers, an ELF core's
 * headers. Every fourth change is libFuzzer's own, anywhere.
 */
#include <string.h>

#include "ctf/format.h"
#include "fuzz.h"

#define CORE_HEADERS 256
#define WORDS_CHANGED 4

static uint32_t random_state;

static uint32_t pick(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return below ? (uint32_t)((uint64_t)random_state * below >> 32) : 0;
}

/* Where something stands that other things are found by; 0 when there is nothing of that kind. */
static size_t landmark(const uint8_t *data, size_t size, uint64_t word, uint64_t mask)
{
	size_t start = pick((uint32_t)size) & ~7U;

	for (size_t i = 0; i + 8 <= size; i += 8) {
		size_t at = (start + i) % (size & ~7U);
		uint64_t here;
		memcpy(&here, data + at, 8);
		if ((here & mask) == word)
			return at;
	}
	return 0;
}

static uint64_t some_value(size_t size)
{
	switch (pick(5)) {
	case 0:
		return RAM_BASE + (pick((uint32_t)size) & ~7U);
	case 1:
		return pick(300);
	case 2:
		return 1ULL << pick(64);
	case 3:
		return UINT64_MAX - pick(4096);
	default:
		return (uint64_t)pick(UINT32_MAX) << 32 | pick(UINT32_MAX);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	random_state = seed;
	if (size < CORE_HEADERS || pick(4) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	for (uint32_t nr = 1 + pick(WORDS_CHANGED); nr; nr--) {
		size_t at = 0, span = CORE_HEADERS;
		switch (pick(3)) {
		case 0:
			at = landmark(data, size, TRACE_DESC_MAGIC, UINT64_MAX) + 8;
			span = sizeof(struct trace_desc) - 8;
			break;
		case 1:
			at = landmark(data, size, TRACE_MAGIC, UINT32_MAX) + 4;
			span = sizeof(struct trace_packet_header) - 4;
			break;
		}
		uint64_t value = some_value(size);
		size_t bytes = 1U << pick(4), where = at + (pick((uint32_t)span) & ~(bytes - 1));
		if (where + bytes <= size)
			memcpy(data + where, &value, bytes);
	}
	return size;
}
