/*
 * ktrace COMMAND [ARG...]: runs a command between two marks in the trace and shows what memory it did not give back,
 * and what the auditor says of it. Status 1 when pages were lost or the auditor found something, else the command's.
 */
#include "ulib.h"

static uint64_t free_pages(void)
{
	struct freemem info;

	kdebug(KDEBUG_DROP_CACHES, 0);
	if (freemem_read(&info) < 0)
		die("ktrace: freemem failed");
	return info.free;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("usage: ktrace COMMAND [ARG...]");
	/* What this program itself needs is taken before the first count. */
	free(malloc(1));
	(void)free_pages();
	uint64_t before = free_pages();
	mark(0, argv[1]);
	int status = run(argv + 1);
	mark(1, argv[1]);
	uint64_t after = free_pages();
	long findings = kdebug(KDEBUG_AUDIT, 0);

	printf("ktrace: %s: status %d, free pages before %lu after %lu lost %ld\n", argv[1], status, before,
	       after, (long)(before - after));
	if (findings < 0)
		printf("ktrace: no audit: %s\n", error_text(findings));
	else
		printf("ktrace: the auditor has %ld finding%s\n", findings, findings == 1 ? "" : "s");
	if (findings > 0) {
		char *text = read_file("/proc/audit", NULL);
		if (text)
			write_full(1, text, strlen(text));
		free(text);
	}
	return before != after || findings != 0 ? 1 : status;
}
