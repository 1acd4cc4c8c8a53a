/* SPDX-License-Identifier: MIT */
/*
 * A model of an ext2 tree in the test's memory: nodes with sparse contents, names, open files; and its comparison with
 * what the kernel's code reads.
 */
#ifndef HOST_EXT2_MODEL_H
#define HOST_EXT2_MODEL_H

#include <host/host_fs.h>

#define NR_NODES 200
#define NR_NAMES 300
#define NR_OPEN 12
#define PAGES_MAX 400
#define ROOT 0

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

extern struct model_node nodes[NR_NODES];
extern struct model_name names[NR_NAMES];
extern u32 nr_names;
extern struct model_file opened[NR_OPEN];
extern u8 buffer[64 * 1024], buffer2[64 * 1024];

extern char last_op[600]; /* what was done last, for messages */
#define FAIL(...)                                                                                            \
	do {                                                                                                 \
		printf("after: %s (HOST_SEED=%lu)\n", last_op, (unsigned long)host_seed());                  \
		fail_msg(__VA_ARGS__);                                                                       \
	} while (0)

void model_reset(void); /* an empty root with lost+found */
void model_write(struct model_node *node, u64 offset, const u8 *bytes, size_t size_bytes);
void model_read(struct model_node *node, u64 offset, u8 *bytes, size_t size_bytes);
void model_truncate(struct model_node *node, u64 size);
void model_release(u32 number); /* forgets it if it has no name and is not open */
u32 model_new(u32 type);        /* node number; 0: no room */
void model_add(u32 dir, const char *name, u32 node);
struct model_name *model_find(u32 dir, const char *name);
void path_of(u32 node, char *path);
void compare_tree(void);
void random_bytes(u8 *bytes, size_t size_bytes);

#endif
