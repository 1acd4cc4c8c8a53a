/* SPDX-License-Identifier: MIT */
/* audit_report: the audit of a copy of RAM in words and as JSON. */
#ifndef TOOLS_REPORT_AUDIT_REPORT_H
#define TOOLS_REPORT_AUDIT_REPORT_H

#include <stdio.h>

#include "analysis/ram_audit.h"
#include "target/stack_table.h"

/* stacks NULL: there is no trace. all: each page that is held or free, too. */
void audit_report_print(const struct ram_audit *audit, struct stack_table *stacks, bool all, FILE *out);
/* Parts of it, for the leak report: what the verdict rests on; findings that are no leaks. */
void audit_report_ground(const struct ram_audit *audit, FILE *out);
void audit_report_findings(const struct ram_audit *audit, FILE *out);
void audit_report_json(const struct ram_audit *audit, struct stack_table *stacks, FILE *out);

#endif
