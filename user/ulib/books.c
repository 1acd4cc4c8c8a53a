/* SPDX-License-Identifier: MIT */
#include "books.h"

#define SETTLE_STEP_MS 20
#define AUDIT_TRIES 50
#define STACK_PAGES 8

void books_take(struct books *books)
{
	struct freemem info;
	struct statfs st;

	kdebug(KDEBUG_DROP_CACHES, 0);
	if (freemem_read(&info) < 0 || statfs("/", &st) < 0)
		die("books: the machine cannot be counted");
	*books = (struct books){info.free, st.f_bfree, st.f_ffree};
}

bool books_equal(const struct books *a, const struct books *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

long books_take_quiet(struct books *books)
{
	for (int tries = 0; tries < AUDIT_TRIES; tries++) {
		struct books again;
		long findings;

		books_take(books);
		findings = books_audit();
		books_take(&again);
		if (findings < 0 || books_equal(books, &again))
			return findings;
	}
	return -EBUSY;
}

bool books_settle(struct books *now, const struct books *before, const char *leavings, long limit_ms)
{
	for (long waited = 0; waited <= limit_ms; waited += SETTLE_STEP_MS) {
		if (waited)
			sleep_ms(SETTLE_STEP_MS);
		if (leavings)
			remove_tree(leavings);
		books_take(now);
		if (books_equal(now, before))
			return true;
	}
	return false;
}

long books_audit(void)
{
	long findings = kdebug(KDEBUG_AUDIT, 0);

	for (int tries = 1; tries < AUDIT_TRIES && findings == -EBUSY; tries++) {
		sleep_ms(SETTLE_STEP_MS);
		findings = kdebug(KDEBUG_AUDIT, 0);
	}
	return findings;
}

void books_print_audit(void)
{
	char *text = read_file("/proc/audit", NULL);

	if (text)
		write_full(1, text, strlen(text));
	free(text);
}

void __attribute__((noinline)) books_touch_image(void)
{
	volatile char stack[STACK_PAGES * PAGE_BYTES];
	volatile char *byte;

	for (byte = __text_start; byte < __data_start; byte += PAGE_BYTES)
		(void)*byte;
	for (byte = __data_start; byte < __bss_end; byte += PAGE_BYTES)
		*byte = *byte;
	for (size_t i = 0; i < sizeof(stack); i += PAGE_BYTES)
		stack[i] = 0;
}

/* One path for all levels, so that a deep tree takes little stack. */
static void remove_below(char path[PATH_MAX], size_t length)
{
	struct dirent *entry;
	struct dir dir;

	if (dir_open(&dir, path) < 0)
		return;
	while ((entry = dir_read(&dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		size_t added = (size_t)snprintf(path + length, PATH_MAX - length, "/%s", entry->d_name);
		if (entry->d_type == DT_DIR)
			remove_below(path, MIN(length + added, PATH_MAX - 1UL));
		else
			unlink(path);
		path[length] = 0;
	}
	dir_close(&dir);
	rmdir(path);
}

void remove_tree(const char *path)
{
	char name[PATH_MAX];

	remove_below(name, MIN(str_copy(name, path, sizeof(name)), sizeof(name) - 1));
}
