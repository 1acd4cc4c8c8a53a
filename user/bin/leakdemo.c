/* SPDX-License-Identifier: MIT */
/*
 * leakdemo N [objects M] [keep]: loses N pages (and M objects) on purpose and asks the auditor. Status 0 when it found
 * exactly those, 1 when it did not. The loss is given back at the end, unless `keep` is there.
 */
#include "books.h"

int main(int argc, char **argv)
{
	struct books before, after;
	long nr_objects = 0;
	bool keep = false;

	if (argc < 2)
		die("usage: leakdemo PAGES [objects OBJECTS] [keep]");
	long nr_pages = parse_number(argv[1]);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "objects") == 0 && i + 1 < argc)
			nr_objects = parse_number(argv[++i]);
		keep |= strcmp(argv[i], "keep") == 0;
	}
	long findings_before = books_take_quiet(&before);
	if (kdebug(KDEBUG_LEAK_PAGES, 0) < 0)
		die("leakdemo: the kernel loses memory on purpose only when booted with debug=on");
	mark(0, "leakdemo");
	long lost = nr_pages > 0 ? kdebug(KDEBUG_LEAK_PAGES, nr_pages) : 0;
	long forgotten = nr_objects > 0 ? kdebug(KDEBUG_LEAK_OBJECTS, nr_objects) : 0;
	mark(1, "leakdemo");
	long findings = books_take_quiet(&after);

	printf("leakdemo: leaked %ld pages and %ld objects; free pages before %lu after %lu\n", lost,
	       forgotten, before.pages, after.pages);
	printf("leakdemo: the auditor found %ld (before: %ld)\n", findings, findings_before);
	/* Objects live in slab pages that are neither lost nor free. */
	bool counted = nr_objects > 0 || before.pages - after.pages == (uint64_t)nr_pages;
	bool detected = lost == nr_pages && forgotten == nr_objects && findings_before >= 0 &&
			findings - findings_before == nr_pages + nr_objects;
	if (!keep)
		kdebug(KDEBUG_FREE_LEAKED, 0);
	printf("leakdemo: %s\n", counted && detected ? "exactly what was leaked" : "WRONG");
	return !(counted && detected);
}
