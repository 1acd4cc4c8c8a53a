/* SPDX-License-Identifier: MIT */
/* png: see png.h. The format: https://www.w3.org/TR/png: signature, then chunks of length, type, data, CRC. */
#include "png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "util.h"

struct writer {
	uint8_t *bytes;
	size_t nr;
};

static void put_word(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

static void put_chunk(struct writer *writer, const char *type, const uint8_t *data, size_t nr)
{
	writer->bytes = xrealloc(writer->bytes, writer->nr + nr + 12);
	uint8_t *at = writer->bytes + writer->nr;
	put_word(at, (uint32_t)nr);
	memcpy(at + 4, type, 4);
	if (nr)
		memcpy(at + 8, data, nr);
	put_word(at + 8 + nr, (uint32_t)crc32(0, at + 4, (uInt)nr + 4));
	writer->nr += nr + 12;
}

/* Each row behind a byte that says that it stands there unfiltered. */
static void put_pixels(struct writer *writer, const uint8_t *pixels, uint32_t width, uint32_t height)
{
	size_t row = (size_t)width + 1;
	uint8_t *rows = xcalloc(height, row);
	uLongf nr = compressBound(row * height);
	uint8_t *packed = xcalloc(nr, 1);

	for (uint32_t y = 0; y < height; y++)
		memcpy(rows + y * row + 1, pixels + (size_t)y * width, width);
	if (compress2(packed, &nr, rows, row * height, 9) != Z_OK)
		die("out of memory");
	put_chunk(writer, "IDAT", packed, nr);
	free(packed);
	free(rows);
}

uint8_t *png_make(const uint8_t *pixels, uint32_t width, uint32_t height, const struct png_colour *palette,
		  uint32_t nr_colours, size_t *bytes)
{
	static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	uint8_t header[13] = {[8] = 8, [9] = 3}, colours[256 * 3], alphas[256];
	struct writer writer = {xcalloc(sizeof(signature), 1), sizeof(signature)};

	memcpy(writer.bytes, signature, sizeof(signature));
	put_word(header, width);
	put_word(header + 4, height);
	put_chunk(&writer, "IHDR", header, sizeof(header));
	for (uint32_t i = 0; i < nr_colours; i++) {
		colours[3 * i] = palette[i].red;
		colours[3 * i + 1] = palette[i].green;
		colours[3 * i + 2] = palette[i].blue;
		alphas[i] = palette[i].alpha;
	}
	put_chunk(&writer, "PLTE", colours, 3 * (size_t)nr_colours);
	put_chunk(&writer, "tRNS", alphas, nr_colours);
	put_pixels(&writer, pixels, width, height);
	put_chunk(&writer, "IEND", NULL, 0);
	*bytes = writer.nr;
	return writer.bytes;
}

char *base64_text(const uint8_t *bytes, size_t nr)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = xcalloc((nr + 2) / 3 * 4 + 1, 1), *at = text;

	for (size_t i = 0; i < nr; i += 3) {
		uint32_t rest = nr - i < 3 ? (uint32_t)(nr - i) : 3, word = 0;
		for (uint32_t k = 0; k < 3; k++)
			word = word << 8 | (k < rest ? bytes[i + k] : 0);
		for (uint32_t k = 0; k < 4; k++)
			*at++ = k <= rest ? digits[word >> (18 - 6 * k) & 63] : '=';
	}
	return text;
}
