/* SPDX-License-Identifier: MIT */
/*
 * boot: from the firmware to init. Order of initialisation, and why, stands in kernel/boot/main.c.
 *
 * bootargs: init=PATH (default /bin/init)   run="CMD" or run=CMD,ARG,... (init runs it, then powers off with its status)
 *           trace=stream|flight|off     trace.mask=HEX   trace.rings=KIB   quiet
 *           debug=on   (see proc_may_debug)
 *           incident.panic   (the first incident ends the machine, with the culprit still on the stack)
 *           ramdisk=START,BYTES (physical address; instead of an initrd)
 */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <kernel/types.h>

/* Where the host finds registers after a panic (physical address in trace_desc.panic_pa). */
struct panic_info {
	u64 magic; /* PANIC_MAGIC */
	u32 hart, nr_harts;
	u64 subject; /* address of what the panic is about (see panic_about), 0: it does not say */
	char message[112];
	struct {
		u64 valid;
		u64 x[32];
		u64 pc, sstatus, scause, stval, satp, sepc;
		u64 pid;
		u32 frames[12];
		u32 nr_frames, pad;
	} harts[8];
};
extern struct panic_info panic_info;

#endif
