/* SPDX-License-Identifier: MIT */
/* protobuf: writing messages in the wire format (protobuf.dev, "Encoding"): varints and length-delimited fields. */
#ifndef TOOLS_BASE_PROTOBUF_H
#define TOOLS_BASE_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct protobuf {
	uint8_t *bytes;
	size_t nr, capacity;
};

void protobuf_int(struct protobuf *message, uint32_t field, uint64_t value); /* int64 as two's complement */
void protobuf_string(struct protobuf *message, uint32_t field, const char *text);
/* A message within a message; the inner one is emptied for the next use. */
void protobuf_message(struct protobuf *message, uint32_t field, struct protobuf *inner);
/* Writes it as a member of the outermost message and empties it. */
void protobuf_write(struct protobuf *message, uint32_t field, FILE *out);
void protobuf_free(struct protobuf *message);

#endif
