/* SPDX-License-Identifier: MIT */
/* protobuf: see protobuf.h. */
#include "protobuf.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#define WIRE_VARINT 0U
#define WIRE_BYTES 2U
#define VARINT_BYTES 10

static size_t varint(uint8_t *to, uint64_t value)
{
	size_t nr = 0;

	for (; value > 127; value >>= 7)
		to[nr++] = (uint8_t)value | 128;
	to[nr++] = (uint8_t)value;
	return nr;
}

static void append(struct protobuf *message, const void *bytes, size_t nr)
{
	if (!nr)
		return;
	if (message->nr + nr > message->capacity) {
		message->capacity = 2 * (message->nr + nr) + 64;
		message->bytes = xrealloc(message->bytes, message->capacity);
	}
	memcpy(message->bytes + message->nr, bytes, nr);
	message->nr += nr;
}

static void append_varint(struct protobuf *message, uint64_t value)
{
	uint8_t buf[VARINT_BYTES];

	append(message, buf, varint(buf, value));
}

void protobuf_int(struct protobuf *message, uint32_t field, uint64_t value)
{
	append_varint(message, (uint64_t)field << 3 | WIRE_VARINT);
	append_varint(message, value);
}

void protobuf_string(struct protobuf *message, uint32_t field, const char *text)
{
	append_varint(message, (uint64_t)field << 3 | WIRE_BYTES);
	append_varint(message, strlen(text));
	append(message, text, strlen(text));
}

void protobuf_message(struct protobuf *message, uint32_t field, struct protobuf *inner)
{
	append_varint(message, (uint64_t)field << 3 | WIRE_BYTES);
	append_varint(message, inner->nr);
	append(message, inner->bytes, inner->nr);
	inner->nr = 0;
}

void protobuf_write(struct protobuf *message, uint32_t field, FILE *out)
{
	uint8_t head[2 * VARINT_BYTES];
	size_t nr = varint(head, (uint64_t)field << 3 | WIRE_BYTES);

	nr += varint(head + nr, message->nr);
	fwrite(head, 1, nr, out);
	fwrite(message->bytes, 1, message->nr, out);
	message->nr = 0;
}

void protobuf_free(struct protobuf *message)
{
	free(message->bytes);
	*message = (struct protobuf){0};
}
