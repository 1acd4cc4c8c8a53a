/* SPDX-License-Identifier: MIT */
/*
 * What a planted mistake says of itself. A build with a mistake knows which page it loses or spoils and in which function;
 * it prints
 *
 *     truth: leak 0x80fa3000 cow_fault
 *
 * at that moment, and the tests compare this with what was found from outside. Nothing of it is known to the tools.
 *
 * Mistakes after which a kernel soon crashes wait until truth_armed is set, which init does with its last steps.
 */
#include "kernel.h"

int truth_armed;

void truth_of(const char *what, const void *page, const char *function)
{
	printf("truth: %s %p %s\n", what, page, function);
}
