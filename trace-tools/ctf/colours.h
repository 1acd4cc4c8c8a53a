/* SPDX-License-Identifier: MIT */
/* colours: of page kinds, the same in every picture. */
#ifndef TOOLS_CTF_COLOURS_H
#define TOOLS_CTF_COLOURS_H

#include <stdint.h>

/* "#rrggbb"; black for what is no kind. */
const char *kind_colour(uint32_t kind);

#endif
