/* SPDX-License-Identifier: MIT */
/* png: a picture of palette colours as the bytes of a PNG file. */
#ifndef TOOLS_BASE_PNG_H
#define TOOLS_BASE_PNG_H

#include <stddef.h>
#include <stdint.h>

struct png_colour {
	uint8_t red, green, blue, alpha;
};

/* pixels: width * height numbers below nr_colours (at most 256), the top row first. Caller frees. */
uint8_t *png_make(const uint8_t *pixels, uint32_t width, uint32_t height, const struct png_colour *palette,
		  uint32_t nr_colours, size_t *bytes);
/* As the text of a data: URL's second half. Caller frees. */
char *base64_text(const uint8_t *bytes, size_t nr);

#endif
