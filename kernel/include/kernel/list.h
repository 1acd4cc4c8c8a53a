/* SPDX-License-Identifier: MIT */
/*
 * A doubly linked ring with an explicit head. Invariant LIST-1: for every node n on a ring,
 * n->next->prev == n and n->prev->next == n. A node off every ring points to itself.
 * No locking: the owner of the head says which lock guards it.
 */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <kernel/types.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)                                                                                      \
	{                                                                                                    \
		&(name), &(name)                                                                             \
	}

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_after(struct list *pos, struct list *node)
{
	node->next = pos->next;
	node->prev = pos;
	pos->next->prev = node;
	pos->next = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
	list_insert_after(head, node);
}

static inline void list_push_back(struct list *head, struct list *node)
{
	list_insert_after(head->prev, node);
}

/* Takes the node off its ring and leaves it pointing to itself, so that a second removal is harmless. */
static inline void list_remove(struct list *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	list_init(node);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
#define LIST_FIRST(head, type, member) LIST_ENTRY((head)->next, type, member)

#define LIST_FOR_EACH(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

/* Safe against removal of `pos` itself. */
#define LIST_FOR_EACH_SAFE(pos, next_, head)                                                                 \
	for (struct list *pos = (head)->next, *next_ = pos->next; pos != (head);                             \
	     pos = next_, next_ = pos->next)

#endif
