/* SPDX-License-Identifier: MIT */
/*
 * hooks: a description against an ELF file: every name in it is looked up, and what the plugin needs is written as numbers.
 *
 *     alloc kalloc                       alloc name=kalloc entry=0x80000a28 page=ret
 *     free kfree push=kfree              free name=kfree entry=0x8000001c page=a0 push=0x8000001c-0x800000de
 *     count refs page=i<<12              count name=refs lo=0x80011950 hi=0x80031950 elem=4 stride=4 page=(i<<12) funcs=…
 *
 * The form of the hooks file is the plugin's (trace-tools/plugin/hooks.h). What the description says for the audit alone
 * (lists, processes, tables) is checked here, too, so that a wrong name is found before a run and not behind it.
 */
#ifndef TOOLS_DESCRIBE_HOOKS_H
#define TOOLS_DESCRIBE_HOOKS_H

#include "code.h"
#include "kd.h"
#include "target/types.h"

/*
 * The hooks file's text (caller frees). NULL and what is wrong in *error (caller frees): "FILE:LINE: alloc kalloc: there
 * is no function kalloc in kernel/kernel".
 */
char *hooks_compile(const struct kd *kd, const struct types *types, struct code *code, char **error);

#endif
