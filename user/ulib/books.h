/* SPDX-License-Identifier: MIT */
/*
 * books: what programs that look for losses count, and how they bring themselves into a state in which counting is fair.
 *
 * Two counts can be compared when the caller's own pages are the same at both: books_touch_image() before the first one,
 * and once more after each fork, if what the fork shared must not be copied between two counts.
 */
#ifndef BOOKS_H
#define BOOKS_H

#include "ulib.h"

/* What is free with all caches dropped. */
struct books {
	uint64_t pages, blocks, inodes; /* of memory; of the root file system */
};

/* Dies if the machine cannot be counted. */
void books_take(struct books *books);
/*
 * Counts until two counts around a quiet audit agree: then nobody else was taking or giving something. Returns the audit's
 * findings; -EBUSY when the machine never was quiet.
 */
long books_take_quiet(struct books *books);
bool books_equal(const struct books *a, const struct books *b);
/*
 * Counts until the result equals `before`, for that long at most: a process that was killed, or an orphan that init has
 * not yet waited for, may still be on its way out. Each count begins with the removal of `leavings` (NULL: nothing).
 * True: they are equal. *now is the last count.
 */
bool books_settle(struct books *now, const struct books *before, const char *leavings, long limit_ms);

/* The number of the auditor's findings; waits for a quiet machine, -EBUSY if it never is. */
long books_audit(void);
void books_print_audit(void); /* the text of one more audit */

/* Makes this process's text resident, and its data and the stack that it will need its own. */
void books_touch_image(void);

/* Removes what lies below a directory, then the directory; what cannot be removed stays. */
void remove_tree(const char *path);

#endif
