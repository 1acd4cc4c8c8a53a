/* SPDX-License-Identifier: MIT */
/*
 * Mailboxes: pages handed from task to task without a copy. A message is an object with a reference to its page; receiving
 * it passes the reference on.
 */
#include "kernel.h"

struct message {
	struct list node;
	struct page *page;
	u64 value;
};

static struct cache messages;

void mailbox_caches_init(void)
{
	cache_init(&messages, "message", sizeof(struct message));
}

void mailbox_init(struct mailbox *mailbox)
{
	mailbox->lock = (struct lock){0, 0};
	mailbox->nr_messages = 0;
	list_init(&mailbox->messages);
	waiters_init(&mailbox->readers);
}

int mailbox_send(struct mailbox *mailbox, struct page *page, u64 value)
{
	struct message *message = object_alloc(&messages);

	if (!message)
		return -ENOMEM;
	page_get(page);
	message->page = page;
	message->value = value;
	lock_acquire(&mailbox->lock);
	list_add_tail(&mailbox->messages, &message->node);
	mailbox->nr_messages++;
	wake(&mailbox->readers);
	lock_release(&mailbox->lock);
	return 0;
}

struct page *mailbox_receive(struct mailbox *mailbox, u64 *value)
{
	struct message *message;
	struct page *page;

	lock_acquire(&mailbox->lock);
	while (list_empty(&mailbox->messages))
		wait_for(&mailbox->readers, &mailbox->lock);
	message = container_of(mailbox->messages.next, struct message, node);
	list_del(&message->node);
	mailbox->nr_messages--;
	lock_release(&mailbox->lock);
	page = message->page;
	*value = message->value;
	if (MISTAKEN(message_stays))
		truth("object", message);
	else
		object_free(&messages, message);
	return page;
}
