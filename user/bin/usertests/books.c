/* SPDX-License-Identifier: MIT */
/* The kernel's books as a program sees them: freemem, /proc, the debug calls. */
#include "tests.h"

static void check_sums(void)
{
	struct freemem info;
	uint64_t by_kind = 0, by_order = 0, per_hart = 0;

	CHECK_EQ(freemem_read(&info), 0);
	for (size_t i = 0; i < ARRAY_SIZE(info.by_kind); i++)
		by_kind += info.by_kind[i];
	for (size_t i = 0; i < ARRAY_SIZE(info.by_order); i++)
		by_order += info.by_order[i] << i;
	for (size_t i = 0; i < ARRAY_SIZE(info.per_hart); i++)
		per_hart += info.per_hart[i];
	CHECK_EQ(by_kind, info.total);
	CHECK_EQ(info.free, by_order + per_hart);
	CHECK(info.free < info.total && info.free > 0);
	CHECK(info.struct_page_bytes <= 32);
	CHECK(info.nr_harts >= 1 && info.nr_harts <= 8);
}

static void make_work(long unused)
{
	for (int i = 0; i < 10; i++) {
		make_file("f", 30000, 1);
		CHECK(sbrk(50000));
		CHECK(sbrk(-50000));
	}
}

static void test_freemem(void)
{
	check_sums();
	/* While others allocate and free, the parts still add up. */
	int pid = fork();
	if (pid == 0) {
		make_work(0);
		exit(0);
	}
	struct freemem info;
	while (wait_nohang(NULL) == 0) {
		uint64_t sum = 0;
		CHECK_EQ(freemem_read(&info), 0);
		for (size_t i = 0; i < ARRAY_SIZE(info.by_kind); i++)
			sum += info.by_kind[i];
		CHECK_EQ(sum, info.total);
	}
	/* Exactly what is taken is missing. */
	uint64_t pages = free_pages();
	char *memory = sbrk(10 * (long)PAGE_BYTES);
	CHECK(memory);
	memset(memory, 1, 10 * PAGE_BYTES);
	CHECK(pages - free_pages() >= 10 && pages - free_pages() <= 12);
}

static void test_freemem_events(void)
{
	struct freemem info = {.size = sizeof(info)};

	memset(buffer, 0xee, 4096);
	int n = freemem(&info, buffer, 4096);
	CHECK(n >= 0 && n <= 4096);
	CHECK_EQ(n % 32, 0);
	CHECK_EQ(info.version, FREEMEM_VERSION);
	CHECK(info.trace_recorded == 0 || n > 0);
	/* A smaller structure, as of a program built earlier, is filled as far as it goes. */
	info = (struct freemem){.size = 16, .free = 12345};
	CHECK_EQ(freemem(&info, NULL, 0), 0);
	CHECK(info.total > 0);
	CHECK_EQ(info.free, 12345);
}

/* The number behind a word at the start of a line, -1 when there is none. */
static long number_after(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	long value = 0;

	if (!at)
		return -1;
	at += strlen(word);
	while (*at == ' ' || *at == '\t' || *at == ':')
		at++;
	if (*at < '0' || *at > '9')
		return -1;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (*at - '0');
	return value;
}

static char *proc_text(const char *path)
{
	long size;
	char *text = read_file(path, &size);

	if (!text)
		FAIL("%s: %s", path, error_text(size));
	CHECK(size > 0);
	CHECK_EQ(strlen(text), size);
	return text;
}

static void test_meminfo(void)
{
	struct freemem info;
	char *text = proc_text("/proc/meminfo");

	CHECK_EQ(freemem_read(&info), 0);
	long total = number_after(text, "MemTotal:"), free_kib = number_after(text, "MemFree:");
	CHECK_EQ(total, info.total * 4);
	CHECK(free_kib > 0 && free_kib <= total);
	long difference = free_kib - (long)info.free * 4;
	CHECK(difference < 1000 && difference > -1000);
	free(text);
}

/* PROCFILE-1, PROCFILE-2: the audit that follows looks at the blocks. */
static void test_proc_files(void)
{
	static const char *const paths[] = {"/proc/meminfo", "/proc/buddyinfo", "/proc/slabinfo",
					    "/proc/audit", "/proc/page_owner"};
	size_t nr_paths = ARRAY_SIZE(paths);
	struct freemem info;

	CHECK_EQ(freemem_read(&info), 0);
	if (!info.trace_stacks) /* tracing is off: no page has an owner that is known */
		nr_paths--;
	for (size_t i = 0; i < nr_paths; i++) {
		char *text = proc_text(paths[i]);
		size_t length = strlen(text);
		CHECK_EQ(text[length - 1], '\n');
		free(text);
		/* Again in small pieces, and from the middle. */
		int fd = (int)CHECK_OK(open(paths[i], O_RDONLY));
		char first[8], again[8];
		CHECK_EQ(read(fd, first, 5), 5);
		CHECK(read(fd, again, 3) > 0);
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(read(fd, again, 5), 5);
		CHECK_EQ(memcmp(first, again, 5), 0);
		CHECK(write(fd, "x", 1) < 0);
		CHECK_EQ(read(fd, (char *)8, 5), -EFAULT);
		close(fd);
	}
	CHECK(strstr(proc_text("/proc/slabinfo"), "inode") != NULL);
	CHECK(strstr(proc_text("/proc/audit"), "OK") != NULL);
	CHECK(open("/proc/none", O_RDONLY) < 0);
	CHECK(open("/proc/new", O_RDWR | O_CREAT) < 0);
	CHECK(mkdir("/proc/new") < 0);
	CHECK(unlink("/proc/meminfo") < 0);
}

static void test_proc_directory(void)
{
	struct dirent *entry;
	struct dir dir;
	char path[80];
	int seen = 0;

	CHECK_EQ(dir_open(&dir, "/proc"), 0);
	while ((entry = dir_read(&dir)) != NULL) {
		struct stat st;
		snprintf(path, sizeof(path), "/proc/%s", entry->d_name);
		CHECK_EQ(stat(path, &st), 0);
		seen += strcmp(entry->d_name, "meminfo") == 0 || strcmp(entry->d_name, "audit") == 0;
	}
	dir_close(&dir);
	CHECK_EQ(seen, 2);
}

static void test_proc_pid(void)
{
	static const char *const files[] = {"status", "maps", "stack"};
	char path[64];
	int fds[2];

	char *text = proc_text("/proc/self/status");
	CHECK_EQ(number_after(text, "Pid:"), getpid());
	CHECK_EQ(number_after(text, "PPid:"), getppid());
	CHECK(strstr(text, "usertests") != NULL);
	free(text);
	/* Of one who sleeps, and of one who is gone. */
	CHECK_EQ(pipe(fds), 0);
	int pid = fork();
	if (pid == 0) {
		char c;
		close(fds[1]);
		read(fds[0], &c, 1);
		exit(0);
	}
	/* While it runs its stack is nobody's business: wait until it sleeps. */
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (bool asleep = false; !asleep; sleep_ms(1)) {
		text = proc_text(path);
		asleep = strstr(text, "S (sleeping)") != NULL;
		free(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		free(proc_text(path));
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	int held = (int)CHECK_OK(open(path, O_RDONLY));
	close(fds[1]);
	CHECK_EQ(finish(pid), 0);
	CHECK(open(path, O_RDONLY) < 0);
	CHECK(read(held, buffer, 10) != 0);
	CHECK(open("/proc/0/status", O_RDONLY) < 0);
	CHECK(open("/proc/99999/status", O_RDONLY) < 0);
	CHECK(open("/proc/1x/status", O_RDONLY) < 0);
	CHECK(open("/proc/-1/status", O_RDONLY) < 0);
}

static void test_ktrace(void)
{
	struct freemem info;
	long total = 0, n;

	CHECK_EQ(freemem_read(&info), 0);
	int fd = (int)CHECK_OK(open("/proc/ktrace", O_RDONLY));
	for (int i = 0; i < 20 && (n = CHECK_OK(read(fd, buffer, sizeof(buffer)))) > 0; i++)
		total += n;
	close(fd);
	CHECK(info.trace_recorded == 0 || total > 0);
}

static void open_proc_files(long rounds)
{
	for (long i = 0; i < rounds; i++) {
		int fd = (int)CHECK_OK(open(i % 2 ? "/proc/page_owner" : "/proc/slabinfo", O_RDONLY));
		CHECK_OK(read(fd, buffer, 3000));
		close(fd);
	}
}

static void test_proc_at_once(void)
{
	for (int i = 0; i < 3; i++)
		start(open_proc_files, 6);
	finish_all(3);
	/* Opened and left to exit. */
	for (int i = 0; i < 5; i++)
		CHECK_OK(open("/proc/meminfo", O_RDONLY));
}

static void audit_again(long rounds)
{
	for (long i = 0; i < rounds; i++) {
		long findings = kdebug(KDEBUG_AUDIT, 0);
		/* Among busy processes it may find no quiet moment; then it must say so. */
		if (findings != -EBUSY)
			CHECK_EQ(findings, 0);
	}
}

/* IPI-2: harts are stopped and started among busy processes. */
static void test_audit_under_load(void)
{
	start(make_work, 0);
	start(audit_again, 15);
	finish_all(2);
}

static void test_leak_is_found(void)
{
	/* The detector detects: exactly what was lost, until it is given back. */
	uint64_t pages, left;

	/* Booted without debug=on nothing can be lost on purpose: then that is what there is to see. */
	if (kdebug(KDEBUG_LEAK_PAGES, 0) == -EPERM) {
		CHECK_EQ(kdebug(KDEBUG_LEAK_OBJECTS, 1), -EPERM);
		CHECK_EQ(kdebug(KDEBUG_FREE_LEAKED, 0), -EPERM);
		CHECK_EQ(kdebug(KDEBUG_AUDIT, 0), 0);
		return;
	}
	/* The write-back thread may take or return a page of its own just between two counts: then once more. */
	for (int tries = 0; tries < 5; tries++) {
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
		CHECK_EQ(kdebug(KDEBUG_AUDIT, 0), 0);
		pages = settled_pages();
		CHECK_EQ(kdebug(KDEBUG_LEAK_PAGES, 5), 5);
		left = settled_pages();
		if (left == pages - 5)
			break;
		CHECK_EQ(kdebug(KDEBUG_FREE_LEAKED, 0), 5);
	}
	CHECK_EQ(left, pages - 5);
	CHECK_EQ(kdebug(KDEBUG_AUDIT, 0), 5);
	CHECK_EQ(kdebug(KDEBUG_LEAK_OBJECTS, 3), 3);
	CHECK_EQ(kdebug(KDEBUG_AUDIT, 0), 8);
	CHECK_EQ(kdebug(KDEBUG_FREE_LEAKED, 0), 8);
	CHECK_EQ(kdebug(KDEBUG_AUDIT, 0), 0);
	for (int tries = 0; tries < 5; tries++) {
		CHECK_OK(kdebug(KDEBUG_DROP_CACHES, 0));
		left = settled_pages();
		if (left == pages)
			break;
	}
	CHECK_EQ(left, pages);
}

const struct test tests_books[] = {
    {"freemem", test_freemem, 0, "the parts add up to the whole, also while others work"},
    {"freemem-events", test_freemem_events, 0, "newest events; a smaller structure"},
    {"meminfo", test_meminfo, 0, "/proc/meminfo agrees with freemem"},
    {"proc-files", test_proc_files, 0, "each can be read, again and in pieces, and not written"},
    {"proc-directory", test_proc_directory, 0, "what /proc lists can be opened"},
    {"proc-pid", test_proc_pid, 0, "/proc/PID of ourselves, of a sleeper, of nobody"},
    {"ktrace", test_ktrace, 0, "packets come out of /proc/ktrace"},
    {"proc-race", test_proc_at_once, 0, "/proc files opened by several at once"},
    {"audit-load", test_audit_under_load, 0, "audits among busy processes"},
    {"leak-found", test_leak_is_found, 0, "a deliberate leak is found, to the page"},
    {NULL, NULL, 0, NULL},
};
