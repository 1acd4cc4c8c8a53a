/* SPDX-License-Identifier: MIT */
/*
 * exec: a new image for a process, made whole before the old one is touched. Whatever fails (no such file,
 * not a program, too many arguments, no memory, a disk error), the caller's memory is as it was and nothing
 * is lost.
 *
 * The new stack, from its top down: the argument strings, padding to 16, argv[0..argc], and there sp points:
 * a0 = argc, a1 = sp = argv. Where it lies is a matter of the program's personality (abi.h); ours lies at the top of the
 * user's memory.
 */
#include "proc_priv.h"

static int stack_build(struct mm *mm, char *const *argv, u32 argc, struct exec_image *image)
{
	uaddr_t top = image->abi->stack_top(mm);
	u64 stack_bytes = image->abi->stack_bytes;
	u64 args_max_bytes = MIN((u64)ARG_MAX_BYTES, stack_bytes - 16);
	uaddr_t string, pointers;
	size_t strings_bytes = 0;
	u64 end = 0;
	int err;

	if (argc > ARG_MAX_COUNT)
		return -E2BIG;
	for (u32 i = 0; i < argc; i++)
		strings_bytes += strlen(argv[i]) + 1;
	if (strings_bytes + (argc + 1) * sizeof(u64) > args_max_bytes)
		return -E2BIG;

	err = mm_map(mm, top - stack_bytes, top, VMA_READ | VMA_WRITE | VMA_STACK, NULL, NULL, 0);
	if (err)
		return err;
	string = top - strings_bytes;
	pointers = (string - (argc + 1) * sizeof(u64)) & ~15UL;
	image->sp = image->argv = pointers;
	image->argc = argc;
	for (u32 i = 0; i < argc; i++) {
		size_t size = strlen(argv[i]) + 1;

		err = mm_copy_out(mm, string, argv[i], size);
		if (!err)
			err = mm_copy_out(mm, pointers, &string, sizeof(string));
		if (err)
			return err;
		string += size;
		pointers += sizeof(string);
	}
	err = mm_copy_out(mm, pointers, &end, sizeof(end));
	if (!err && image->abi->image_made)
		err = image->abi->image_made(mm, top);
	return err;
}

static void image_set_name(struct exec_image *image, const char *path)
{
	const char *base = path;

	for (const char *c = path; *c; c++)
		if (*c == '/' && c[1])
			base = c + 1;
	str_copy(image->name, base, sizeof(image->name));
}

int exec_build(struct inode *cwd, const char *path, char *const *argv, u32 argc, u16 pid,
	       struct exec_image *image)
{
	struct inode *inode;
	int err = path_lookup(cwd, path, &inode);

	if (err)
		return err;
	image->mm = mm_create(pid);
	if (!image->mm) {
		inode_put(inode);
		return -ENOMEM;
	}
	err = elf_load(inode, image);
	inode_put(inode);
	if (!err)
		err = stack_build(image->mm, argv, argc, image);
	if (err) {
		mm_destroy(image->mm);
		return err;
	}
	image_set_name(image, path);
	return 0;
}

void exec_enter(struct task *task, const struct exec_image *image)
{
	struct trapframe *frame = task->frame;
	struct proc *proc = task->proc;

	task_set_mm(task, image->mm);
	proc->abi = image->abi;
	proc->abi_flags = image->abi_flags;
	proc->before_return = NULL;
	if (proc->abi->entered)
		proc->abi->entered(proc);
	str_copy(task->name, image->name, sizeof(task->name));
	memset(frame, 0, sizeof(*frame));
	frame->status = SSTATUS_SPIE;
	frame->pc = image->entry;
	frame->x[REG_SP] = image->sp;
	frame->x[REG_A0] = image->argc;
	frame->x[REG_A1] = image->argv;
}

int proc_exec(const char *path, char *const *argv, u32 argc)
{
	struct task *task = current_task();
	struct proc *proc = task->proc;
	struct mm *old = task->mm;
	struct exec_image image;
	int err = exec_build(proc->cwd, path, argv, argc, task->pid, &image);

	if (err)
		return err;
	exec_enter(task, &image);
	arch_use_root(page_to_pa(task->mm->root));
	task_trace(EV_task_exec, task, 0);
	mm_destroy(old);
	return (int)image.argc; /* a0 of the new program */
}
