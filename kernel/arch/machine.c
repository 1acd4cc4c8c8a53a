/* SPDX-License-Identifier: MIT */
/*
 * What the device tree says of the machine, into `machine`; and the boot arguments.
 *
 * The walk keeps one struct node for each level it is in. A node's properties stand before its children, so
 * a node is complete, and looked at, when its first child or its end comes. Devices with status other than
 * "okay" are passed over, as are nodes deeper than any that matters here.
 */
#include "arch_priv.h"
#include "fdt_tree.h"
#include <kernel/lib.h>

#define FDT_MAX_BYTES (1U << 20)
#define DEPTH_MAX 8

struct machine machine;

struct property {
	const u8 *value;
	u32 bytes;
};

struct node {
	const char *name;
	struct property compatible, reg, interrupts, device_type, status;
	u32 address_cells, size_cells; /* for the children */
	bool done;
};

static struct node node_stack[DEPTH_MAX]; /* too large for a kernel stack */

static bool property_is(const struct property *property, const char *text)
{
	return fdt_has_string(property->value, property->bytes, text);
}

static u64 property_number(const u8 *value, u32 bytes)
{
	u32 at = 0;
	u64 number = 0;

	fdt_cells(value, bytes, &at, bytes >= 8 ? 2 : 1, &number);
	return number;
}

static u64 first_reg(const struct node *node, const struct node *parent)
{
	u32 at = 0;
	u64 pa = 0;

	fdt_cells(node->reg.value, node->reg.bytes, &at, parent->address_cells, &pa);
	return pa;
}

/* Of several banks of RAM the one that the kernel is in counts. */
static void found_memory(const struct node *node, const struct node *parent)
{
	u32 at = 0;
	u64 start, size;

	while (fdt_cells(node->reg.value, node->reg.bytes, &at, parent->address_cells, &start) &&
	       fdt_cells(node->reg.value, node->reg.bytes, &at, parent->size_cells, &size)) {
		if (start <= KERNEL_PA && size > KERNEL_PA - start) {
			machine.ram_start = PAGE_ALIGN_UP(start);
			machine.ram_end = PAGE_ALIGN_DOWN(start + size);
		}
	}
}

static void found_cpu(const struct node *node, const struct node *parent)
{
	u32 hart_id = (u32)first_reg(node, parent);

	if (hart_id == machine.hart_ids[0] || machine.nr_harts == NR_HARTS_MAX || hart_id > 63)
		return;
	machine.hart_ids[machine.nr_harts++] = hart_id;
}

static void found_virtio(u64 pa, u32 irq)
{
	u32 i = machine.nr_virtio;

	if (i == ARRAY_SIZE(machine.virtio))
		return;
	for (; i > 0 && machine.virtio[i - 1].pa > pa; i--) /* by address, however the tree has them */
		machine.virtio[i] = machine.virtio[i - 1];
	machine.virtio[i].pa = pa;
	machine.virtio[i].irq = irq;
	machine.nr_virtio++;
}

static void look_at_node(struct node *node, const struct node *parent)
{
	if (node->done)
		return;
	node->done = true;
	if (node->status.value && !property_is(&node->status, "okay") && !property_is(&node->status, "ok"))
		return;
	u64 pa = first_reg(node, parent);
	u32 irq = (u32)property_number(node->interrupts.value, MIN(node->interrupts.bytes, 4U));
	if (property_is(&node->device_type, "memory"))
		found_memory(node, parent);
	else if (property_is(&node->device_type, "cpu"))
		found_cpu(node, parent);
	else if (property_is(&node->compatible, "ns16550a") && !machine.uart_pa)
		machine.uart_pa = pa, machine.uart_irq = irq;
	else if (property_is(&node->compatible, "riscv,plic0"))
		machine.plic_pa = pa;
	else if (property_is(&node->compatible, "sifive,test0"))
		machine.finisher_pa = pa;
	else if (property_is(&node->compatible, "virtio,mmio"))
		found_virtio(pa, irq);
}

static void chosen_property(const struct fdt_item *item)
{
	if (strcmp(item->name, "bootargs") == 0)
		ksnprintf(machine.bootargs, sizeof(machine.bootargs), "%.*s", (int)item->value_bytes,
			  (const char *)item->value);
	else if (strcmp(item->name, "linux,initrd-start") == 0)
		machine.initrd_start = property_number(item->value, item->value_bytes);
	else if (strcmp(item->name, "linux,initrd-end") == 0)
		machine.initrd_end = property_number(item->value, item->value_bytes);
}

static void take_property(struct node *node, const struct fdt_item *item)
{
	const struct property property = {item->value, item->value_bytes};
	const char *name = item->name;

	if (strcmp(name, "compatible") == 0)
		node->compatible = property;
	else if (strcmp(name, "reg") == 0)
		node->reg = property;
	else if (strcmp(name, "interrupts") == 0)
		node->interrupts = property;
	else if (strcmp(name, "device_type") == 0)
		node->device_type = property;
	else if (strcmp(name, "status") == 0)
		node->status = property;
	else if (strcmp(name, "#address-cells") == 0)
		node->address_cells = (u32)property_number(item->value, item->value_bytes);
	else if (strcmp(name, "#size-cells") == 0)
		node->size_cells = (u32)property_number(item->value, item->value_bytes);
	else if (strcmp(name, "timebase-frequency") == 0 &&
		 property_number(item->value, item->value_bytes) != TIME_HZ)
		panic("the time CSR does not count at %lu Hz", TIME_HZ);
	else if (strcmp(node->name, "chosen") == 0)
		chosen_property(item);
}

static void walk(const struct fdt_tree *tree)
{
	u32 offset = 0;
	u32 depth = 0; /* of the node we are in; 0: outside the root */

	for (;;) {
		struct fdt_item item = fdt_next(tree, &offset);
		struct node *node = depth > 0 && depth <= DEPTH_MAX ? &node_stack[depth - 1] : NULL;
		const struct node *parent = depth > 1 ? node - 1 : node;

		if (node && item.type != FDT_ITEM_PROPERTY)
			look_at_node(node, parent);
		switch (item.type) {
		case FDT_ITEM_NODE:
			if (depth < DEPTH_MAX)
				node_stack[depth] =
				    (struct node){.name = item.name, .address_cells = 2, .size_cells = 1};
			depth++;
			break;
		case FDT_ITEM_PROPERTY:
			if (node)
				take_property(node, &item);
			break;
		case FDT_ITEM_NODE_END:
			if (depth == 0)
				return;
			depth--;
			break;
		default: /* the end, or damage: what was read so far may do */
			return;
		}
	}
}

/*
 * ramdisk=START,BYTES: a disk that the host put into RAM by other means than -initrd, whose place QEMU also
 * gives to the device tree when RAM is 8 MiB.
 */
static void ramdisk_argument(void)
{
	char text[40];
	u64 start, size_bytes;

	if (!bootarg("ramdisk", text, sizeof(text)))
		return;
	char *comma = strchr(text, ',');
	if (!comma)
		return;
	*comma = 0;
	if (str_to_u64(text, &start) && str_to_u64(comma + 1, &size_bytes) && size_bytes <= machine.ram_end) {
		machine.initrd_start = start;
		machine.initrd_end = start + size_bytes;
	}
}

/* A range that the kernel cannot have is as good as none. */
static void check_initrd(void)
{
	if (machine.initrd_start < machine.image_end || machine.initrd_end > machine.ram_end ||
	    machine.initrd_start >= machine.initrd_end || machine.initrd_start % PAGE_SIZE != 0) {
		if (machine.initrd_end)
			kprintf("initrd at 0x%lx-0x%lx is no use\n", machine.initrd_start,
				machine.initrd_end);
		machine.initrd_start = machine.initrd_end = 0;
	}
}

void fdt_read(paddr_t fdt_pa)
{
	struct fdt_tree tree;

	machine.hart_ids[0] = this_hart()->hart_id;
	machine.nr_harts = 1;
	if (fdt_pa < RAM_BASE || fdt_pa % 8 != 0 || !fdt_open(&tree, pa_to_va(fdt_pa), FDT_MAX_BYTES))
		panic("no device tree at 0x%lx", fdt_pa);
	walk(&tree);
	if (machine.ram_end <= KERNEL_PA)
		panic("the device tree names no memory at 0x%lx", KERNEL_PA);
	machine.fdt_start = PAGE_ALIGN_DOWN(fdt_pa);
	machine.fdt_end = PAGE_ALIGN_UP(fdt_pa + tree.total_bytes);
	machine.image_start = KERNEL_PA;
	machine.image_end = va_to_pa(boot_stacks) + machine.nr_harts * BOOT_STACK_SLOT_BYTES;
	ramdisk_argument();
	check_initrd();
}

/* The argument that begins at *cursor, without quotes around a value; false at the end. */
static bool next_argument(const char **cursor, const char **key, size_t *key_bytes, const char **value,
			  size_t *value_bytes)
{
	const char *p = *cursor;

	while (*p == ' ')
		p++;
	*key = p;
	while (*p && *p != ' ' && *p != '=')
		p++;
	*key_bytes = (size_t)(p - *key);
	*value = p;
	*value_bytes = 0;
	if (*p == '=') {
		char end = ' ';
		p++;
		if (*p == '"' || *p == '\'')
			end = *p++;
		*value = p;
		while (*p && *p != end)
			p++;
		*value_bytes = (size_t)(p - *value);
		if (*p && end != ' ')
			p++;
	}
	*cursor = p;
	return *key_bytes > 0;
}

bool bootarg(const char *key, char *value, size_t size_bytes)
{
	const char *cursor = machine.bootargs;
	const char *this_key, *this_value;
	size_t key_bytes, value_bytes;

	while (next_argument(&cursor, &this_key, &key_bytes, &this_value, &value_bytes)) {
		if (strlen(key) != key_bytes || memcmp(key, this_key, key_bytes) != 0)
			continue;
		if (value)
			ksnprintf(value, size_bytes, "%.*s", (int)value_bytes, this_value);
		return true;
	}
	return false;
}
