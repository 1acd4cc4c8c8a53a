/* SPDX-License-Identifier: MIT */
/*
 * Integer types, errors, and doubly linked lists.
 *
 * A list is a ring through its head. A node that is on no list points to itself, so list_del() may be called twice.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int s32;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)
#define NELEM(array) (sizeof(array) / sizeof((array)[0]))
#define offset_of(type, member) __builtin_offsetof(type, member)
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offset_of(type, member)))

#define ENOMEM 12
#define EFAULT 14
#define EEXIST 17
#define EINVAL 22
#define ENOENT 2

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *node)
{
	node->next = node->prev = node;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_add(struct list *head, struct list *node)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
	list_add(head->prev, node);
}

static inline void list_del(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}
