/*
 * ext2 on real images against a model of the tree: random operations through paths and open files, failing
 * allocations, a full disk. The judges are the model, the auditor, e2fsck -fn, and debugfs, which reads the same contents.
 */
#include <host/host_fs.h>
#include <kernel/errno.h>
#include <kernel/pagecache.h>
#include <stdio.h>
#include <stdlib.h>

#define NR_NODES 200
#define NR_NAMES 300
#define NR_OPEN 12
#define PAGES_MAX 400
#define ROOT 0

/* ---- the model ---- */

struct model_node {
	u32 type; /* S_IF*; 0: unused */
	u32 links, nr_opened;
	u64 size;
	u32 device;
	u32 nr_pages; /* pages that were written; all others are zero */
	struct {
		u64 index;
		u8 *bytes;
	} pages[PAGES_MAX];
	u32 parent; /* of a directory */
};

struct model_name {
	u32 dir; /* node */
	u32 node;
	char name[256];
};

struct model_file {
	struct file *file;
	u32 node;
	bool append;
};

static struct model_node nodes[NR_NODES];
static struct model_name names[NR_NAMES];
static u32 nr_names;
static struct model_file opened[NR_OPEN];

static struct host_disk disk;
static u8 buffer[64 * 1024], buffer2[64 * 1024];
static u32 memory_percent; /* of operations in which an allocation fails */
static u64 size_limit; /* of a file */
static char last_op[600];

#define FAIL(...)                                                                                  \
	do {                                                                                       \
		printf("after: %s (HOST_SEED=%lu)\n", last_op, (unsigned long)host_seed());            \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

static u8 *model_page(struct model_node *node, u64 index, bool create)
{
	for (u32 i = 0; i < node->nr_pages; i++)
		if (node->pages[i].index == index)
			return node->pages[i].bytes;
	if (!create)
		return NULL;
	assert_true(node->nr_pages < PAGES_MAX);
	node->pages[node->nr_pages].index = index;
	node->pages[node->nr_pages].bytes = calloc(1, PAGE_SIZE);
	return node->pages[node->nr_pages++].bytes;
}

static void model_write(struct model_node *node, u64 offset, const u8 *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes;) {
		u64 at = offset + i;
		size_t part = MIN(PAGE_SIZE - at % PAGE_SIZE, size_bytes - i);

		memcpy(model_page(node, at / PAGE_SIZE, true) + at % PAGE_SIZE, bytes + i, part);
		i += part;
	}
	node->size = MAX(node->size, size_bytes ? offset + size_bytes : 0);
}

static void model_read(struct model_node *node, u64 offset, u8 *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes;) {
		u64 at = offset + i;
		size_t part = MIN(PAGE_SIZE - at % PAGE_SIZE, size_bytes - i);
		u8 *page = model_page(node, at / PAGE_SIZE, false);

		if (page)
			memcpy(bytes + i, page + at % PAGE_SIZE, part);
		else
			memset(bytes + i, 0, part);
		i += part;
	}
}

static void model_truncate(struct model_node *node, u64 size)
{
	for (u32 i = 0; i < node->nr_pages;) {
		u64 start = node->pages[i].index * PAGE_SIZE;

		if (start >= size) {
			free(node->pages[i].bytes);
			node->pages[i] = node->pages[--node->nr_pages];
			continue;
		}
		if (start + PAGE_SIZE > size)
			memset(node->pages[i].bytes + (size - start), 0, PAGE_SIZE - (size - start));
		i++;
	}
	node->size = size;
}

static void model_release(u32 number)
{
	struct model_node *node = &nodes[number];

	if (node->links || node->nr_opened)
		return;
	model_truncate(node, 0);
	memset(node, 0, sizeof(*node));
}

static u32 model_new(u32 type)
{
	for (u32 i = 1; i < NR_NODES; i++) {
		if (nodes[i].type == 0) {
			nodes[i].type = type;
			nodes[i].links = type == S_IFDIR ? 2 : 1;
			return i;
		}
	}
	return 0;
}

static struct model_name *model_find(u32 dir, const char *name)
{
	for (u32 i = 0; i < nr_names; i++)
		if (names[i].dir == dir && strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

static void model_add(u32 dir, const char *name, u32 node)
{
	assert_true(nr_names < NR_NAMES);
	names[nr_names].dir = dir;
	names[nr_names].node = node;
	strcpy(names[nr_names++].name, name);
	if (nodes[node].type == S_IFDIR) {
		nodes[node].parent = dir;
		nodes[dir].links++;
	}
}

static void model_reset(void)
{
	for (u32 i = 0; i < NR_NODES; i++) {
		model_truncate(&nodes[i], 0);
		memset(&nodes[i], 0, sizeof(nodes[i]));
	}
	nr_names = 0;
	memset(opened, 0, sizeof(opened));
	nodes[ROOT].type = S_IFDIR;
	nodes[ROOT].links = 3; /* with lost+found */
}

static void path_of(u32 node, char *path)
{
	if (node == ROOT) {
		strcpy(path, "");
		return;
	}
	for (u32 i = 0; i < nr_names; i++) {
		if (names[i].node == node) {
			path_of(names[i].dir, path);
			strcat(path, "/");
			strcat(path, names[i].name);
			return;
		}
	}
	fail_msg("node %u has no name", node);
}

/* ---- comparing ---- */

static void compare_file(struct file *file, u32 number)
{
	struct model_node *node = &nodes[number];
	struct stat st;

	assert_int_equal(file_stat(file, &st), 0);
	if (st.st_size != node->size || st.st_nlink != node->links)
		FAIL("node %u: size %lu links %u, must be %lu and %u", number, (unsigned long)st.st_size, st.st_nlink,
		     (unsigned long)node->size, node->links);
	/* The pages with contents, and a piece of what lies between. */
	for (u32 i = 0; i <= node->nr_pages; i++) {
		u64 offset = i < node->nr_pages ? node->pages[i].index * PAGE_SIZE
						: host_random_below(node->size + 1);
		size_t want = MIN(PAGE_SIZE, node->size - offset);
		ssize_t got;

		assert_int_equal(file_seek(file, (s64)offset, SEEK_SET), offset);
		memset(buffer, 0x77, PAGE_SIZE);
		got = file_read(file, (uaddr_t)buffer, PAGE_SIZE);
		if (got != (ssize_t)want)
			FAIL("node %u at %lu: read %ld, must be %lu", number, (unsigned long)offset, (long)got, want);
		model_read(node, offset, buffer2, want);
		if (memcmp(buffer, buffer2, want))
			FAIL("node %u at %lu: other contents", number, (unsigned long)offset);
	}
}

static void compare_directory(struct file *file, u32 dir)
{
	static u8 records[3000];
	u32 found = 0, wanted = 2 + (dir == ROOT);
	ssize_t bytes;

	assert_int_equal(file_seek(file, 0, SEEK_SET), 0);
	for (u32 i = 0; i < nr_names; i++)
		wanted += names[i].dir == dir;
	while ((bytes = file_getdents(file, (uaddr_t)records, 300 + host_random_below(sizeof(records) - 300))) > 0) {
		for (ssize_t at = 0; at < bytes;) {
			struct dirent *entry = (struct dirent *)(records + at);

			found++;
			at += entry->d_reclen;
			if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
			    (dir == ROOT && !strcmp(entry->d_name, "lost+found")))
				continue;
			if (!model_find(dir, entry->d_name))
				FAIL("directory %u has %s", dir, entry->d_name);
		}
	}
	assert_int_equal(bytes, 0);
	if (found != wanted)
		FAIL("directory %u has %u entries, must be %u", dir, found, wanted);
}

static void compare_tree(void)
{
	char path[4096];

	for (u32 i = 0; i < nr_names; i++) {
		u32 number = names[i].node;
		struct file *file;
		int err;

		path_of(names[i].dir, path);
		strcat(path, "/");
		strcat(path, names[i].name);
		if (nodes[number].type == S_IFCHR)
			continue;
		err = file_open(NULL, path, O_RDONLY, 0, &file);
		if (err)
			FAIL("open %s: %d", path, err);
		if (nodes[number].type == S_IFDIR)
			compare_directory(file, number);
		else
			compare_file(file, number);
		file_close(file);
	}
	struct file *root;
	assert_int_equal(file_open(NULL, "/", O_RDONLY, 0, &root), 0);
	compare_directory(root, ROOT);
	file_close(root);
	for (u32 i = 0; i < NR_OPEN; i++)
		if (opened[i].file && !opened[i].append)
			compare_file(opened[i].file, opened[i].node);
}

/* ---- operations ---- */

static u32 random_node(u32 type)
{
	for (u32 tries = 0; tries < 50; tries++) {
		u32 i = (u32)host_random_below(NR_NODES);

		if (nodes[i].type == type && nodes[i].links)
			return i;
	}
	return type == S_IFDIR ? ROOT : 0;
}

/* Few short names, so that operations meet; sometimes long ones. */
static void random_name(char *name)
{
	u32 length = host_random_below(10) ? 1 : 1 + (u32)host_random_below(255);

	for (u32 i = 0; i < length; i++)
		name[i] = (char)('a' + host_random_below(length == 1 ? 14 : 26));
	name[length] = 0;
}

static void random_bytes(u8 *bytes, size_t size_bytes)
{
	u64 word = host_random() | 1;

	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = (u8)(word >> 8 * (i % 8)) ^ (u8)(i >> 8);
}

/* Where files of this size begin to need the next level of indirect blocks, and around it. */
static u64 random_offset(const struct model_node *node)
{
	static const u64 edges[] = {12, 12 + 1024, 12 + 1024 + 1024UL * 1024};

	switch (host_random_below(8)) {
	case 0:
		return edges[host_random_below(ARRAY_SIZE(edges))] * PAGE_SIZE - host_random_below(3 * PAGE_SIZE);
	case 1:
	case 2:
		return node->size;
	case 3:
		return host_random_below(node->size + 1);
	default:
		return host_random_below(80000);
	}
}

static void begin_op(const char *what, const char *path, u64 a, u64 b)
{
	snprintf(last_op, sizeof(last_op), "%s %s %lu %lu", what, path, (unsigned long)a, (unsigned long)b);
	if (getenv("HOST_OPS"))
		fprintf(stderr, "%s\n", last_op);
	if (host_random_below(100) < memory_percent)
		host_fail_nth(1 + host_random_below(12));
}

/* True when the operation must be as if it had not been: no memory, no room. */
static bool end_op(s64 result)
{
	bool failed = host_failed;

	host_fail_nth(0);
	if (result == -ENOSPC)
		return true;
	if (result == -ENOMEM && !failed)
		FAIL("-ENOMEM, but no allocation failed");
	return result == -ENOMEM;
}

static void expect(s64 result, s64 wanted)
{
	if (result != wanted)
		FAIL("result %ld, must be %ld", (long)result, (long)wanted);
}

static void random_place(u32 *dir, char *name, char *path)
{
	*dir = random_node(S_IFDIR);
	random_name(name);
	path_of(*dir, path);
	strcat(path, "/");
	strcat(path, name);
}

static void op_create(void)
{
	char name[256], path[4096];
	u32 dir, flags = O_RDWR | O_CREAT | (host_random_below(4) ? 0 : O_EXCL) | (host_random_below(8) ? 0 : O_TRUNC);
	struct model_name *existing;
	struct file *file;
	u32 slot = (u32)host_random_below(NR_OPEN), number;
	int err;

	if (opened[slot].file)
		return;
	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX)
		return;
	existing = model_find(dir, name);
	begin_op("open", path, flags, 0);
	err = file_open(NULL, path, flags, 0644, &file);
	if (end_op(err)) {
		/* The file itself may have been made before truncation or opening failed; it is not. */
		return;
	}
	if (existing && (flags & O_EXCL)) {
		expect(err, -EEXIST);
		return;
	}
	if (existing && nodes[existing->node].type == S_IFDIR) {
		expect(err, -EISDIR);
		return;
	}
	if (existing && nodes[existing->node].type == S_IFCHR) {
		expect(err, -ENXIO);
		return;
	}
	expect(err, 0);
	number = existing ? existing->node : model_new(S_IFREG);
	assert_true(number);
	if (!existing)
		model_add(dir, name, number);
	else if (flags & O_TRUNC)
		model_truncate(&nodes[number], 0);
	nodes[number].nr_opened++;
	opened[slot] = (struct model_file){file, number, false};
}

static struct model_file *random_open(void)
{
	for (u32 tries = 0; tries < 10; tries++) {
		struct model_file *open = &opened[host_random_below(NR_OPEN)];

		if (open->file)
			return open;
	}
	return NULL;
}

static void op_write(void)
{
	struct model_file *open = random_open();
	struct model_node *node;
	u64 offset;
	size_t length = host_random_below(3) ? 1 + host_random_below(9000) : 1 + host_random_below(30000);
	size_t faulting = host_random_below(20) ? length : host_random_below(length);
	ssize_t written;

	if (!open)
		return;
	node = &nodes[open->node];
	offset = random_offset(node);
	if (node->nr_pages + length / PAGE_SIZE + 3 >= PAGES_MAX)
		return;
	random_bytes(buffer, length);
	assert_int_equal(file_seek(open->file, (s64)offset, SEEK_SET), offset);
	begin_op("write to node", "", open->node, offset);
	host_fault_at = faulting < length ? (uaddr_t)buffer + faulting : 0;
	written = file_write(open->file, (uaddr_t)buffer, length);
	host_fault_at = 0;
	if (written > 0)
		model_write(node, offset, buffer, (size_t)written);
	if (end_op(written) || (written > 0 && written < (ssize_t)length))
		return;
	if (faulting < length && written == -EFAULT)
		return;
	if (offset >= size_limit)
		expect(written, -EFBIG);
	else
		expect(written, (s64)length);
}

static void op_truncate(void)
{
	struct model_file *open = random_open();
	u64 size;
	int err;

	if (!open)
		return;
	size = host_random_below(3) ? random_offset(&nodes[open->node]) : 0;
	begin_op("truncate node", "", open->node, size);
	err = file_truncate(open->file, size);
	if (end_op(err))
		return;
	expect(err, size > size_limit ? -EFBIG : 0);
	if (!err)
		model_truncate(&nodes[open->node], size);
}

static void op_close(void)
{
	struct model_file *open = random_open();

	if (!open)
		return;
	begin_op("close node", "", open->node, 0);
	file_close(open->file);
	end_op(0);
	open->file = NULL;
	nodes[open->node].nr_opened--;
	model_release(open->node);
}

static void op_mkdir(void)
{
	char name[256], path[4096];
	struct inode *inode;
	u32 dir, number;
	int err;

	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX - 200)
		return;
	begin_op("mkdir", path, 0, 0);
	err = path_create(NULL, path, S_IFDIR | 0755, 0, true, &inode);
	if (err == 0)
		inode_put(inode);
	if (end_op(err))
		return;
	expect(err, model_find(dir, name) ? -EEXIST : 0);
	if (err)
		return;
	number = model_new(S_IFDIR);
	assert_true(number);
	model_add(dir, name, number);
}

static void op_mknod(void)
{
	char name[256], path[4096];
	struct inode *inode;
	u32 dir, number;
	int err;

	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX)
		return;
	begin_op("mknod", path, 0, 0);
	err = path_create(NULL, path, S_IFCHR | 0600, 0x0700, true, &inode);
	if (err == 0)
		inode_put(inode);
	if (end_op(err))
		return;
	expect(err, model_find(dir, name) ? -EEXIST : 0);
	if (err)
		return;
	number = model_new(S_IFCHR);
	assert_true(number);
	model_add(dir, name, number);
}

static void op_link(void)
{
	char name[256], path[4096], old_path[4096];
	u32 dir, node = random_node(S_IFREG);
	int err;

	if (!node)
		return;
	path_of(node, old_path);
	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX)
		return;
	begin_op("link", path, node, 0);
	err = path_link(NULL, old_path, path);
	if (end_op(err))
		return;
	expect(err, model_find(dir, name) ? -EEXIST : 0);
	if (err)
		return;
	model_add(dir, name, node);
	nodes[node].links++;
}

static bool is_empty(u32 dir)
{
	for (u32 i = 0; i < nr_names; i++)
		if (names[i].dir == dir)
			return false;
	return true;
}

static void op_unlink(void)
{
	char path[4096];
	u32 i, number;
	struct model_node *node;
	bool directory;
	int err;

	if (!nr_names)
		return;
	i = (u32)host_random_below(nr_names);
	number = names[i].node;
	node = &nodes[number];
	directory = host_random_below(10) ? node->type == S_IFDIR : host_random_below(2);
	path_of(names[i].dir, path);
	strcat(path, "/");
	strcat(path, names[i].name);
	begin_op(directory ? "rmdir" : "unlink", path, number, 0);
	err = path_unlink(NULL, path, directory);
	if (end_op(err))
		return;
	if (directory != (node->type == S_IFDIR)) {
		expect(err, directory ? -ENOTDIR : -EISDIR);
		return;
	}
	if (directory && !is_empty(number)) {
		expect(err, -ENOTEMPTY);
		return;
	}
	expect(err, 0);
	if (directory)
		nodes[names[i].dir].links--;
	names[i] = names[--nr_names];
	node->links -= directory ? 2 : 1;
	model_release(number);
}

static void op_lookup(void)
{
	char name[256], path[4096];
	struct inode *inode;
	u32 dir;
	int err;

	random_place(&dir, name, path);
	if (strlen(path) >= PATH_MAX - 10)
		return;
	if (host_random_below(3) == 0)
		strcat(path, host_random_below(2) ? "/." : "/..");
	begin_op("lookup", path, 0, 0);
	err = path_lookup(NULL, path, &inode);
	if (err == 0)
		inode_put(inode);
	if (end_op(err))
		return;
	if (!model_find(dir, name))
		expect(err, -ENOENT);
	else if (strrchr(path, '/')[1] == '.')
		expect(err, nodes[model_find(dir, name)->node].type == S_IFDIR ? 0 : -ENOTDIR);
	else
		expect(err, 0);
}

static void op_caches(void)
{
	switch (host_random_below(4)) {
	case 0:
		begin_op("sync", "", 0, 0);
		end_op(fs_sync());
		break;
	case 1:
		pagecache_shrink((u32)host_random_below(200));
		break;
	case 2:
		icache_shrink();
		break;
	default:
		fs_drop_caches();
	}
}

static void random_op(void)
{
	static void (*const ops[])(void) = {op_create, op_create,   op_create, op_write, op_write,  op_write,
					    op_write,  op_write,    op_close,  op_close, op_mkdir,  op_mknod,
					    op_link,   op_truncate, op_unlink, op_unlink, op_lookup, op_caches};

	u32 used = 0;

	for (u32 i = 0; i < NR_NODES; i++)
		used += nodes[i].type != 0;
	if (nr_names < NR_NAMES - 5 && used < NR_NODES - NR_OPEN - 1)
		ops[host_random_below(ARRAY_SIZE(ops))]();
	else
		op_unlink();
}

/* ---- runs ---- */

static void audit(void)
{
	struct file *files[NR_OPEN];

	for (u32 i = 0; i < NR_OPEN; i++)
		files[i] = opened[i].file;
	host_audit(files, NR_OPEN);
}

static void close_all(void)
{
	for (u32 i = 0; i < NR_OPEN; i++) {
		if (!opened[i].file)
			continue;
		file_close(opened[i].file);
		opened[i].file = NULL;
		nodes[opened[i].node].nr_opened--;
		model_release(opened[i].node);
	}
}

static void unmount_and_check(const char *what)
{
	assert_int_equal(fs_unmount_root(), 0);
	host_audit(NULL, 0);
	assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
	assert_int_equal(host_pages_of_kind(PK_SLAB), 0);
	host_disk_check(&disk, what);
}

static void compare_with_debugfs(void)
{
	u32 done = 0;
	char path[4096];

	for (u32 i = 0; i < nr_names && done < 5; i++) {
		struct model_node *node = &nodes[names[i].node];
		long size;
		u8 *bytes;

		if (node->type != S_IFREG || node->size > 1000000)
			continue;
		path_of(names[i].node, path);
		if (strlen(path) > 500)
			continue;
		bytes = host_disk_dump(&disk, path, &size);
		assert_int_equal(size, node->size);
		for (u64 at = 0; at < node->size; at += PAGE_SIZE) {
			size_t part = MIN(PAGE_SIZE, node->size - at);

			model_read(node, at, buffer, part);
			assert_memory_equal(bytes + at, buffer, part);
		}
		free(bytes);
		done++;
	}
}

static void run_random(u32 nr_blocks, const char *options, u32 nr_ops, u32 percent)
{
	model_reset();
	host_disk_make(&disk, nr_blocks, options, NULL);
	assert_int_equal(fs_mount_root(&disk.device), 0);
	memory_percent = percent;
	size_limit = strstr(options, "large_file") ? UINT64_MAX : 0x7fffffff;
	for (u32 i = 1; i <= nr_ops; i++) {
		random_op();
		if (i % 250 == 0) {
			audit();
			compare_tree();
		}
		if (i % (nr_ops / 2) == 0) {
			close_all();
			compare_tree();
			unmount_and_check("after random operations");
			assert_int_equal(fs_mount_root(&disk.device), 0);
			compare_tree();
		}
	}
	compare_with_debugfs();
	assert_int_equal(fs_unmount_root(), 0);
	model_reset();
	host_disk_free(&disk);
}

static void test_random(void **state)
{
	host_random_start();
	run_random(2048, "-O none,filetype -N 128 -I 128", 3000, 0);
}

/* Several groups, revision 1 defaults, indexed directories allowed. */
static void test_random_groups(void **state)
{
	host_random_start();
	run_random(3000, "-O none,filetype,sparse_super,large_file,dir_index -g 256 -N 500 -I 256", 3000, 0);
}

static void test_random_old(void **state)
{
	host_random_start();
	run_random(2048, "-r 0 -O none -N 100", 2000, 0);
}

static void test_random_full(void **state)
{
	host_random_start();
	run_random(160, "-O none,filetype -N 64", 3000, 0);
}

static void test_random_memory(void **state)
{
	host_random_start();
	run_random(2048, "-O none,filetype -N 128", 3000, 30);
	run_random(160, "-O none,filetype -N 64", 3000, 30);
}

/* ---- every allocation of some operations fails once ---- */

static int scenario_create(void)
{
	struct file *file;
	int err = file_open(NULL, "/d/new", O_RDWR | O_CREAT, 0644, &file);

	if (err)
		return err;
	err = (int)file_write(file, (uaddr_t)buffer, 60000);
	file_close(file);
	return err < 0 ? err : err < 60000 ? -ENOMEM : 0;
}

static int scenario_mkdir(void)
{
	struct inode *inode;
	int err = path_create(NULL, "/d/sub", S_IFDIR | 0755, 0, true, &inode);

	if (!err)
		inode_put(inode);
	return err;
}

static int scenario_unlink(void) { return path_unlink(NULL, "/d/big", false); }
static int scenario_rmdir(void) { return path_unlink(NULL, "/d/empty", true); }
static int scenario_link(void) { return path_link(NULL, "/d/big", "/big2"); }
static int scenario_sync(void)
{
	int err = scenario_create();

	return err ? err : fs_sync();
}

static int scenario_truncate(void)
{
	struct file *file;
	int err = file_open(NULL, "/d/big", O_RDWR, 0, &file);

	if (err)
		return err;
	err = file_truncate(file, 5000);
	file_close(file);
	return err;
}

static int scenario_sparse(void)
{
	struct file *file;
	int err = file_open(NULL, "/d/big", O_RDWR, 0, &file);

	if (err)
		return err;
	file_seek(file, (12 + 1024 + 7) * (s64)PAGE_SIZE, SEEK_SET);
	err = (int)file_write(file, (uaddr_t)buffer, 100);
	file_close(file);
	return err < 0 ? err : 0;
}

static void prepare_sweep(void)
{
	struct inode *inode;
	struct file *file;

	host_disk_make(&disk, 300, "-O none,filetype -N 32", NULL);
	assert_int_equal(fs_mount_root(&disk.device), 0);
	assert_int_equal(path_create(NULL, "/d", S_IFDIR | 0755, 0, true, &inode), 0);
	inode_put(inode);
	assert_int_equal(path_create(NULL, "/d/empty", S_IFDIR | 0755, 0, true, &inode), 0);
	inode_put(inode);
	assert_int_equal(file_open(NULL, "/d/big", O_RDWR | O_CREAT, 0644, &file), 0);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(file_write(file, (uaddr_t)buffer, 40000), 40000);
	file_close(file);
	assert_int_equal(fs_unmount_root(), 0);
}

static void test_fail_sweep(void **state)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} scenarios[] = {{"create", scenario_create}, {"mkdir", scenario_mkdir},       {"unlink", scenario_unlink},
			 {"rmdir", scenario_rmdir},   {"link", scenario_link},	       {"sync", scenario_sync},
			 {"sparse", scenario_sparse}, {"truncate", scenario_truncate}};
	u8 *saved;
	u32 total = 0;

	prepare_sweep();
	saved = malloc(300 * BLOCK_BYTES);
	memcpy(saved, disk.bytes, 300 * BLOCK_BYTES);
	for (u32 s = 0; s < ARRAY_SIZE(scenarios); s++) {
		for (u64 n = 1;; n++) {
			bool failed;
			int err;

			snprintf(last_op, sizeof(last_op), "%s, allocation %lu fails", scenarios[s].name, (unsigned long)n);
			memcpy(disk.bytes, saved, 300 * BLOCK_BYTES);
			assert_int_equal(fs_mount_root(&disk.device), 0);
			host_fail_nth(n);
			err = scenarios[s].run();
			failed = host_failed;
			host_fail_nth(0);
			if (err && err != -ENOMEM)
				FAIL("error %d", err);
			if (!failed && err)
				FAIL("error %d though nothing failed", err);
			host_audit(NULL, 0);
			unmount_and_check(last_op);
			total += failed;
			if (!failed)
				break;
		}
	}
	print_message("           %u allocations failed\n", total);
	free(saved);
	host_disk_free(&disk);
}

/* ---- transfers fail ---- */

static void test_io_errors(void **state)
{
	host_random_start();
	for (u32 round = 0; round < 20; round++) {
		model_reset();
		host_disk_make(&disk, 300, "-O none,filetype -N 32", NULL);
		assert_int_equal(fs_mount_root(&disk.device), 0);
		for (u32 i = 0; i < 60; i++) {
			char path[20];
			struct inode *inode;
			struct file *file;

			disk.fail_at = host_random_below(3) ? 0 : 1 + host_random_below(10);
			snprintf(path, sizeof(path), "/%c", (char)('a' + host_random_below(6)));
			switch (host_random_below(5)) {
			case 0:
				path_unlink(NULL, path, false);
				path_unlink(NULL, path, true);
				break;
			case 1:
				if (path_create(NULL, path, S_IFDIR | 0755, 0, true, &inode) == 0)
					inode_put(inode);
				break;
			case 2:
				fs_drop_caches();
				break;
			default:
				if (file_open(NULL, path, O_RDWR | O_CREAT, 0644, &file) == 0) {
					file_write(file, (uaddr_t)buffer, 20000);
					file_seek(file, 0, SEEK_SET);
					file_read(file, (uaddr_t)buffer2, 20000);
					file_close(file);
				}
			}
			disk.fail_at = 0;
		}
		fs_sync();
		host_audit(NULL, 0);
		fs_unmount_root();
		host_audit(NULL, 0);
		assert_int_equal(host_pages_of_kind(PK_PAGECACHE), 0);
		host_disk_free(&disk);
	}
}

/* ---- names and paths ---- */

static int lookup(const char *path)
{
	struct inode *inode;
	int err = path_lookup(NULL, path, &inode);

	if (!err)
		inode_put(inode);
	return err;
}

static int make(const char *path, u32 mode)
{
	struct inode *inode;
	int err = path_create(NULL, path, mode, 0, true, &inode);

	if (!err)
		inode_put(inode);
	return err;
}

static int open_close(const char *path, u32 flags)
{
	struct file *file;
	int err = file_open(NULL, path, flags, 0644, &file);

	if (!err)
		file_close(file);
	return err;
}

static void test_paths(void **state)
{
	char long_path[PATH_MAX + 10], name[300];

	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(fs_mount_root(&disk.device), 0);
	assert_int_equal(make("/d", S_IFDIR | 0755), 0);
	assert_int_equal(make("//d///e/", S_IFDIR | 0755), 0);
	assert_int_equal(make("/d/f", S_IFREG | 0644), 0);
	assert_int_equal(make("/d/g/", S_IFREG | 0644), -EISDIR);
	assert_int_equal(make("/", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(make("/d/.", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(make("/d/..", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(make("/x/y", S_IFREG | 0644), -ENOENT);
	assert_int_equal(make("/d/f/y", S_IFREG | 0644), -ENOTDIR);
	assert_int_equal(make("/d/fifo", S_IFIFO | 0644), -EINVAL);

	assert_int_equal(lookup(""), -ENOENT);
	assert_int_equal(lookup("/"), 0);
	assert_int_equal(lookup("/////"), 0);
	assert_int_equal(lookup("/../../.."), 0);
	assert_int_equal(lookup("/d/../d/./e/../f"), 0);
	assert_int_equal(lookup("d/f"), 0);
	assert_int_equal(lookup("/d/f/"), -ENOTDIR);
	assert_int_equal(lookup("/d/f/."), -ENOTDIR);
	assert_int_equal(lookup("/d/f/.."), -ENOTDIR);
	assert_int_equal(lookup("/d/e/"), 0);
	assert_int_equal(lookup("/d/h/.."), -ENOENT);

	memset(name, 'n', sizeof(name));
	memcpy(name, "/d/", 3);
	name[3 + 255] = 0;
	assert_int_equal(make(name, S_IFREG | 0644), 0);
	assert_int_equal(lookup(name), 0);
	assert_int_equal(path_unlink(NULL, name, false), 0);
	name[3 + 255] = 'n';
	name[3 + 256] = 0;
	assert_int_equal(lookup(name), -ENAMETOOLONG);
	assert_int_equal(make(name, S_IFREG | 0644), -ENAMETOOLONG);
	memset(long_path, '/', sizeof(long_path));
	long_path[PATH_MAX - 1] = 0;
	assert_int_equal(lookup(long_path), 0);
	long_path[PATH_MAX - 1] = '/';
	long_path[PATH_MAX] = 0;
	assert_int_equal(lookup(long_path), -ENAMETOOLONG);

	assert_int_equal(path_unlink(NULL, "/d", true), -ENOTEMPTY);
	assert_int_equal(path_unlink(NULL, "/d", false), -EISDIR);
	assert_int_equal(path_unlink(NULL, "/d/f", true), -ENOTDIR);
	assert_int_equal(path_unlink(NULL, "/d/f/", false), -ENOTDIR);
	assert_int_equal(path_unlink(NULL, "/", true), -EBUSY);
	assert_int_equal(path_unlink(NULL, "/d/.", true), -EINVAL);
	assert_int_equal(path_unlink(NULL, "/d/e/..", true), -ENOTEMPTY);
	assert_int_equal(path_unlink(NULL, "/d/e/", true), 0);
	assert_int_equal(path_link(NULL, "/d", "/d2"), -EPERM);
	assert_int_equal(path_link(NULL, "/d/f", "/d/f"), -EEXIST);
	assert_int_equal(path_link(NULL, "/d/f", "/d"), -EEXIST);
	assert_int_equal(path_link(NULL, "/d/f", "/d/"), -EEXIST);
	assert_int_equal(path_link(NULL, "/d/f", "/d/f2/"), -ENOENT);
	assert_int_equal(path_link(NULL, "/d/none", "/d/f3"), -ENOENT);

	assert_int_equal(open_close("/d", O_RDONLY), 0);
	assert_int_equal(open_close("/d", O_RDONLY | O_DIRECTORY), 0);
	assert_int_equal(open_close("/d", O_RDWR), -EISDIR);
	assert_int_equal(open_close("/d", O_RDONLY | O_CREAT), -EISDIR);
	assert_int_equal(open_close("/d/f", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	assert_int_equal(open_close("/d/f", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
	assert_int_equal(open_close("/d/f", O_ACCMODE), -EINVAL);
	assert_int_equal(open_close("/d/none", O_RDWR), -ENOENT);
	unmount_and_check("after paths");
	host_disk_free(&disk);
}

/* A directory that was removed, but is somebody's current one. */
static void test_removed_directory(void **state)
{
	struct inode *cwd, *inode;

	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(fs_mount_root(&disk.device), 0);
	assert_int_equal(make("/d", S_IFDIR | 0755), 0);
	assert_int_equal(path_lookup(NULL, "/d", &cwd), 0);
	assert_int_equal(path_unlink(NULL, "/d", true), 0);
	assert_int_equal(path_create(cwd, "x", S_IFREG | 0644, 0, true, &inode), -ENOENT);
	assert_int_equal(path_lookup(cwd, "..", &inode), -ENOENT);
	assert_int_equal(path_lookup(cwd, ".", &inode), 0);
	inode_put(inode);
	inode_put(cwd);
	unmount_and_check("after removing a current directory");
	host_disk_free(&disk);
}

/* ---- what mount refuses, and what state it leaves ---- */

static void test_refusals(void **state)
{
	static const struct {
		const char *options, *why;
	} refused[] = {
	    {"-O none,filetype -b 1024", "4096 bytes"},
	    {"-O extent,filetype", "incompatible features"},
	    {"-O none,filetype,uninit_bg", "forbid writing"},
	    {"-O none,filetype,metadata_csum", "forbid writing"},
	    {"-O none,filetype,has_journal -J size=4", "journal"},
	    {"-O none,filetype -N 70000", "65535 inodes"},
	};

	for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
		host_disk_make(&disk, 8192, refused[i].options, NULL);
		host_log_clear();
		assert_true(fs_mount_root(&disk.device) < 0);
		if (!strstr(host_log, refused[i].why))
			fail_msg("%s: no word of \"%s\" in: %s", refused[i].options, refused[i].why, host_log);
		host_audit(NULL, 0);
		host_disk_free(&disk);
	}
	host_disk_make(&disk, 300, "-O none", NULL);
	memset(disk.bytes, 0, 300 * BLOCK_BYTES);
	assert_true(fs_mount_root(&disk.device) < 0);
	host_disk_free(&disk);
}

static u16 state_on_disk(void) { return *(u16 *)(disk.bytes + 1024 + 58); }

static void test_clean_state(void **state)
{
	host_disk_make(&disk, 300, "-O none,filetype -N 64", NULL);
	assert_int_equal(state_on_disk(), 1);
	assert_int_equal(fs_mount_root(&disk.device), 0);
	assert_int_equal(state_on_disk(), 0);
	assert_int_equal(make("/a", S_IFREG | 0644), 0);
	assert_int_equal(fs_sync(), 0);
	assert_int_equal(state_on_disk(), 1);
	host_disk_check(&disk, "synced, still mounted");
	assert_int_equal(make("/b", S_IFREG | 0644), 0);
	assert_int_equal(state_on_disk(), 0);
	unmount_and_check("unmounted");
	assert_int_equal(state_on_disk(), 1);
	host_disk_free(&disk);
}

/* An image that mke2fs filled is read as it was. */
static void test_contents(void **state)
{
	char path[256], contents[128];
	struct file *file;
	FILE *out;

	snprintf(contents, sizeof(contents), "%s/contents", host_folder());
	snprintf(path, sizeof(path), "mkdir -p %s/sub", contents);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/sub/file", contents);
	out = fopen(path, "wb");
	random_bytes(buffer, 60000);
	assert_int_equal(fwrite(buffer, 1, 60000, out), 60000);
	fclose(out);
	host_disk_make(&disk, 300, "-N 64", contents);
	assert_int_equal(fs_mount_root(&disk.device), 0);
	assert_int_equal(file_open(NULL, "/sub/file", O_RDONLY, 0, &file), 0);
	assert_int_equal(file_read(file, (uaddr_t)buffer2, sizeof(buffer2)), 60000);
	assert_memory_equal(buffer, buffer2, 60000);
	file_close(file);
	unmount_and_check("after reading");
	host_disk_free(&disk);
}

static int boot(void **state)
{
	host_fs_boot(16UL << 20);
	random_bytes(buffer, sizeof(buffer));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contents),	  cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_removed_directory), cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_clean_state),	  cmocka_unit_test(test_random),
	    cmocka_unit_test(test_random_groups), cmocka_unit_test(test_random_old),
	    cmocka_unit_test(test_random_full),	  cmocka_unit_test(test_random_memory),
	    cmocka_unit_test(test_fail_sweep),	  cmocka_unit_test(test_io_errors),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
