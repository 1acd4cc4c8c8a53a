/* SPDX-License-Identifier: MIT */
/*
 * ktrace COMMAND [ARG...]: runs a command between two marks in the trace and shows what memory it did not give back,
 * and what the auditor says of it. Status 1 when pages were lost or the auditor found something, else the command's.
 */
#include "books.h"

int main(int argc, char **argv)
{
	struct books before, after;

	if (argc < 2)
		die("usage: ktrace COMMAND [ARG...]");
	/* What this program itself needs is taken before the first count. */
	free(malloc(1));
	books_take_quiet(&before);
	mark(0, argv[1]);
	int status = run(argv + 1);
	mark(1, argv[1]);
	long findings = books_take_quiet(&after);

	printf("ktrace: %s: status %d, free pages before %lu after %lu leaked %ld\n", argv[1], status,
	       before.pages, after.pages, (long)(before.pages - after.pages));
	if (findings < 0)
		printf("ktrace: no audit: %s\n", error_text(findings));
	else
		printf("ktrace: the auditor has %ld finding%s\n", findings, findings == 1 ? "" : "s");
	if (findings > 0)
		books_print_audit();
	return before.pages != after.pages || findings != 0 ? 1 : status;
}
