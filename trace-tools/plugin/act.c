/* SPDX-License-Identifier: MIT
 *
 * act: see act.h.
 */
#include "act.h"

#include "bounds.h"
#include "guest.h"

uint16_t act_pid(unsigned hart)
{
	struct expr_context context = {.hart = hart};
	uint64_t pid = 0;

	if (!hooks.pid.nr)
		return 0;
	expr_fetch(&context, hooks.pid.registers);
	return expr_compute(&hooks.pid, &context, &pid) ? (uint16_t)pid : 0;
}

/* From a pointer into the array of struct page. */
static uint64_t page_of_struct(unsigned hart, uint64_t pointer)
{
	struct expr_context context = {.hart = hart};
	uint64_t base;

	expr_fetch(&context, hooks.pages_base.registers);
	if (!expr_compute(&hooks.pages_base, &context, &base) || pointer < base ||
	    (pointer - base) % hooks.pages_stride)
		return NONE;
	return hooks.pages_pa + ((pointer - base) / hooks.pages_stride << PAGE_SHIFT);
}

uint64_t act_page(unsigned hart, enum page_type type, uint64_t raw)
{
	switch (type) {
	case TYPE_VA:
		return guest_va_to_pa(hart, raw);
	case TYPE_PFN:
		return raw << PAGE_SHIFT;
	case TYPE_STRUCT:
		return page_of_struct(hart, raw);
	default:
		return raw;
	}
}
