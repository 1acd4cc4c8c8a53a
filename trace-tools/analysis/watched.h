/* SPDX-License-Identifier: MIT */
/*
 * watched: the audit of a watched run, as findings of its trace.
 *
 * Our own kernel audits itself, and its findings are events. A stranger's kernel cannot; what stands in for that is the audit
 * of the copy of its RAM (ram_audit.h). Its leaked pages become findings of the model, so that everything that explains a leak
 * by its allocation, its references and other lives explains these, too. What the plugin noticed while the machine ran
 * and what speaks against the description (a page handed out twice) is a reason for no verdict.
 *
 * Where that is not rare but the rule, the description is contradicted, and there is no verdict at all.
 *
 * WATCHED-1  a run of which RAM was not kept has no audit; the reason is said.
 */
#ifndef TOOLS_ANALYSIS_WATCHED_H
#define TOOLS_ANALYSIS_WATCHED_H

#include "ram_audit.h"

struct watched {
	struct description kernel;
	struct guest ram;
	struct ram_audit *audit;
};

/*
 * Audits a run that is `watched`, and gives the model the findings. NULL with *problem (caller frees) when that cannot be done.
 * run and model must live as long as the answer.
 */
struct watched *watched_audit(struct run *run, struct model *model, char **problem);
/*
 * What the plugin noticed, as reasons of an audit of the folder's RAM: contradictions of the description, a plugin.json that is
 * not this run's. For an audit that watched_audit does not make.
 */
void watched_take_plugin(struct ram_audit *audit, const struct run *run);
void watched_free(struct watched *watched);

#endif
