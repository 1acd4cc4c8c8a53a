/* SPDX-License-Identifier: MIT */
/*
 * suspect_pairs: what it says that a get and a put do not pair. See suspect.h and replay/pairing.h.
 *
 * A put that released nothing, and a get of another name that stayed open: one of the two calls has the wrong name. Which, others
 * tell: a put that releases what was acquired elsewhere is right, and so is a get whose others are released.
 *
 *     files_copy < proc_fork    gets  CALL        others of this call released      0
 *     fd_close < sys_close      puts  FD          others that this call released  340     ->  files_copy
 */
#include <string.h>

#include "suspect.h"

static bool same_site(const struct leaks *leaks, uint32_t a, uint32_t b)
{
	return a == b ||
	       !strcmp(stack_table_function(leaks->stacks, a), stack_table_function(leaks->stacks, b));
}

const char *mispaired_suspect(const struct leaks *leaks, const struct mispaired *mispaired)
{
	const struct release *one;
	uint64_t nr_gets = 0, nr_puts = 0;

	for (size_t at = 0; mispaired->left_stack && (one = model_next_release(leaks->model, &at));) {
		if (one->ref == mispaired->left_ref &&
		    same_site(leaks, one->get_stack, mispaired->left_stack))
			nr_gets += one->count;
		if (one->ref == mispaired->call.ref &&
		    same_site(leaks, one->put_stack, mispaired->call.stack))
			nr_puts += one->count;
	}
	return stack_table_function(leaks->stacks, mispaired->left_stack && !nr_gets && nr_puts
						       ? mispaired->left_stack
						       : mispaired->call.stack);
}

bool suspect_by_second_get(const struct suspect_case *one, struct suspect_candidate *out)
{
	const struct leak_item *item = one->item;
	size_t nr;
	const struct mispaired *mispaired = model_mispaired(one->leaks->model, &nr);

	for (size_t i = 0; i < nr && run_complete(model_run(one->leaks->model)); i++) {
		const struct mispaired *call = &mispaired[i];
		if (call->how != MISPAIRED_GET || call->object != item->object ||
		    call->call.ref != item->ref ||
		    (call->call.stack != item->get_stack && call->where != item->where))
			continue;
		const struct stack_view *view = stack_table_get(one->leaks->stacks, call->call.stack);
		*out = (struct suspect_candidate){.rule = SUSPECT_TWICE,
						  .says = {.how = MISSING_TWICE, .later_nr = call->count}};
		suspect_set(&out->says, view, view->site);
		return out->says.suspect != NULL;
	}
	return false;
}
