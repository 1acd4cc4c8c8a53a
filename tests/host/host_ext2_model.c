/* SPDX-License-Identifier: MIT */
/* See include/host/ext2_model.h. */
#include <host/ext2_model.h>
#include <stdio.h>
#include <stdlib.h>

struct model_node nodes[NR_NODES];
struct model_name names[NR_NAMES];
u32 nr_names;
struct model_file opened[NR_OPEN];
u8 buffer[64 * 1024], buffer2[64 * 1024];
char last_op[600];

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

void model_write(struct model_node *node, u64 offset, const u8 *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes;) {
		u64 at = offset + i;
		size_t part = MIN(PAGE_SIZE - at % PAGE_SIZE, size_bytes - i);

		memcpy(model_page(node, at / PAGE_SIZE, true) + at % PAGE_SIZE, bytes + i, part);
		i += part;
	}
	node->size = MAX(node->size, size_bytes ? offset + size_bytes : 0);
}

void model_read(struct model_node *node, u64 offset, u8 *bytes, size_t size_bytes)
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

void model_truncate(struct model_node *node, u64 size)
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

void model_release(u32 number)
{
	struct model_node *node = &nodes[number];

	if (node->links || node->nr_opened)
		return;
	model_truncate(node, 0);
	memset(node, 0, sizeof(*node));
}

u32 model_new(u32 type)
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

struct model_name *model_find(u32 dir, const char *name)
{
	for (u32 i = 0; i < nr_names; i++)
		if (names[i].dir == dir && strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

void model_add(u32 dir, const char *name, u32 node)
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

void model_reset(void)
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

void path_of(u32 node, char *path)
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
		FAIL("node %u: size %lu links %u, must be %lu and %u", number, (unsigned long)st.st_size,
		     st.st_nlink, (unsigned long)node->size, node->links);
	/* The pages with contents, and a piece of what lies between. */
	for (u32 i = 0; i <= node->nr_pages; i++) {
		u64 offset =
		    i < node->nr_pages ? node->pages[i].index * PAGE_SIZE : host_random_below(node->size + 1);
		size_t want = MIN(PAGE_SIZE, node->size - offset);
		ssize_t got;

		assert_int_equal(file_seek(file, (s64)offset, SEEK_SET), offset);
		memset(buffer, 0x77, PAGE_SIZE);
		got = file_read(file, (uaddr_t)buffer, PAGE_SIZE);
		if (got != (ssize_t)want)
			FAIL("node %u at %lu: read %ld, must be %lu", number, (unsigned long)offset,
			     (long)got, want);
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
	while ((bytes = file_getdents(file, (uaddr_t)records,
				      300 + host_random_below(sizeof(records) - 300))) > 0) {
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

void compare_tree(void)
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

void random_bytes(u8 *bytes, size_t size_bytes)
{
	u64 word = host_random() | 1;

	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = (u8)(word >> 8 * (i % 8)) ^ (u8)(i >> 8);
}
