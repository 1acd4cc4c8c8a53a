/* SPDX-License-Identifier: MIT */
/*
 * model_holders: processes, address spaces, inodes: when they began and ended. See model.h.
 */
#include "base/util.h"
#include "model_priv.h"

static void born(struct holder_life *life, uint64_t time)
{
	life->alive = life->seen = true;
	life->born = time;
}

static void died(struct holder_life *life, const struct trace_record *record)
{
	life->alive = false;
	life->seen = true;
	life->died = record->time;
	life->end_stack = record->stack;
}

void holders_apply(struct model *model, const struct trace_record *record)
{
	const struct trace_payload_task *event = &record->payload.ev_payload_task_fork;
	struct holder_life *pid = &model->pids[event->pid], *mm = &model->mms[event->mm];

	switch (record->event) {
	case EV_task_fork:
	case EV_task_exec:
		if (record->event == EV_task_fork)
			born(pid, record->time);
		copy_name(pid->name, event->name, sizeof(event->name));
		break;
	case EV_task_exit:
		died(pid, record);
		break;
	case EV_task_reaped:
		pid->reaped = record->time;
		pid->end_stack = record->stack;
		break;
	case EV_mm_create:
		born(mm, record->time);
		mm->pid = event->pid;
		break;
	case EV_mm_drop:
		died(mm, record);
		break;
	case EV_inode_load:
		born(&model->inodes[(uint16_t)record->payload.ev_payload_inode_load.inode], record->time);
		break;
	case EV_inode_evict:
		died(&model->inodes[(uint16_t)record->payload.ev_payload_inode_load.inode], record);
		break;
	}
}

const struct holder_life *model_holder(const struct model *model, uint32_t ref, uint16_t holder)
{
	switch (ref) {
	case REF_PTE:
	case REF_TABLE:
	case REF_VMA:
		return &model->mms[holder];
	case REF_CACHE:
	case REF_DIRTY:
		return holder ? &model->inodes[holder] : NULL;
	case REF_IO:
	case REF_FAULT:
	case REF_KSTACK:
	case REF_OWNER:
	case REF_CALL:
	case REF_FD:
	case REF_CWD:
		return holder ? &model->pids[holder] : NULL;
	default:
		return NULL;
	}
}

uint64_t model_holder_death(const struct model *model, uint32_t ref, uint16_t holder, uint64_t time)
{
	const struct holder_life *life = model_holder(model, ref, holder);

	if (!life || !life->seen)
		return 0;
	/* A process may hold things until its stack is gone; exit is only where it begins to go. */
	if (life >= model->pids && life < model->pids + HOLDERS_NR && model->totals.by_event[EV_task_reaped])
		return life->reaped >= time ? life->reaped : 0;
	return life->died >= time ? life->died : 0;
}
