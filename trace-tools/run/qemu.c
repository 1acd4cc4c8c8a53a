/* SPDX-License-Identifier: MIT */
/* qemu: see qemu.h. */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

struct words {
	char **list;
	size_t nr, capacity;
};

static void add(struct words *words, char *word)
{
	ARRAY_PUSH(words->list, words->nr, words->capacity) = word;
}

static void add_pair(struct words *words, const char *option, char *value)
{
	add(words, xstrdup(option));
	add(words, value);
}

/* In QEMU's option lists a comma within a value is written twice. */
static char *double_commas(const char *text)
{
	char *out = xcalloc(strlen(text) * 2 + 1, 1), *to = out;

	for (; *text; text++) {
		if (*text == ',')
			*to++ = ',';
		*to++ = *text;
	}
	return out;
}

char **qemu_command(const struct machine_config *config)
{
	struct words words = {0};
	const char *program = config->program ? config->program : getenv("QEMU");
	char *ram_file = double_commas(config->ram_file);

	add(&words, xstrdup(program ? program : "qemu-system-riscv64"));
	add_pair(&words, "-machine", xstrdup("virt,memory-backend=ram"));
	add_pair(&words, "-object",
		 xasprintf("memory-backend-file,id=ram,size=%llu,mem-path=%s,share=on",
			   (unsigned long long)config->ram_bytes, ram_file));
	free(ram_file);
	add_pair(&words, "-m", xasprintf("%lluk", (unsigned long long)config->ram_bytes / 1024));
	add_pair(&words, "-smp", xasprintf("%u", config->smp));
	add_pair(&words, "-display", xstrdup("none"));
	add_pair(&words, "-monitor", xstrdup("none"));
	add_pair(&words, "-chardev", xstrdup("stdio,id=console,signal=off"));
	add_pair(&words, "-serial", xstrdup("chardev:console"));
	add(&words, xstrdup("-no-reboot"));
	add_pair(&words, "-kernel", xstrdup(config->kernel));
	if (config->disk && config->disk_virtio) {
		char *disk = double_commas(config->disk);
		add_pair(&words, "-drive",
			 xasprintf("file=%s,if=none,format=raw,id=disk0%s", disk,
				   config->disk_writable ? "" : ",snapshot=on"));
		add_pair(&words, "-device", xstrdup("virtio-blk-device,drive=disk0"));
		free(disk);
	} else if (config->disk) {
		add_pair(&words, "-initrd", xstrdup(config->disk));
	}
	if (config->append && config->append[0])
		add_pair(&words, "-append", xstrdup(config->append));
	if (config->icount) {
		/* With sleep=off the clock of a machine that waits for the host alone, input or a disk, jumps to its end. */
		add_pair(
		    &words, "-icount",
		    xasprintf("shift=%u,sleep=%s", config->icount_shift,
			      config->at_prompt || (config->disk && config->disk_virtio) ? "on" : "off"));
		add_pair(&words, "-seed", xstrdup("1"));
	}
	if (config->one_thread && !config->icount)
		add_pair(&words, "-accel", xstrdup("tcg,thread=single"));
	if (config->plugin)
		add_pair(&words, "-plugin", xstrdup(config->plugin));
	if (config->gdb_port)
		add_pair(&words, "-gdb", xasprintf("tcp:127.0.0.1:%u", config->gdb_port));
	if (config->stopped)
		add(&words, xstrdup("-S"));
	add(&words, NULL);
	return words.list;
}

void qemu_command_free(char **argv)
{
	for (char **word = argv; *word; word++)
		free(*word);
	free(argv);
}

static void child(char **argv, int in, int out, int err, int failure, pid_t parent)
{
	sigset_t none;

	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	setpgid(0, 0);
	/* Whoever kills us with SIGKILL should not leave a machine running. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	int error = errno;
	if (write(failure, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

bool qemu_start(struct qemu *qemu, char **argv)
{
	int in[2], out[2], err[2], failure[2], error = 0;
	pid_t self = getpid();

	*qemu = (struct qemu){.in = -1, .out = -1, .err = -1};
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) ||
	    pipe2(failure, O_CLOEXEC))
		return false;
	qemu->pid = fork();
	if (qemu->pid == 0)
		child(argv, in[0], out[1], err[1], failure[1], self);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	close(failure[1]);
	if (qemu->pid < 0) {
		close(failure[0]);
		return false;
	}
	qemu->in = in[1];
	fcntl(qemu->in, F_SETFL, O_NONBLOCK);
	qemu->out = out[0];
	qemu->err = err[0];
	/* Ends without a word once exec has succeeded. */
	ssize_t got = read(failure[0], &error, sizeof(error));
	close(failure[0]);
	if (got == sizeof(error)) {
		waitpid(qemu->pid, &qemu->status, 0);
		qemu->ended = true;
		errno = error;
		return false;
	}
	return true;
}

bool qemu_poll(struct qemu *qemu)
{
	struct rusage usage;

	if (!qemu->ended && wait4(qemu->pid, &qemu->status, WNOHANG, &usage) == qemu->pid) {
		qemu->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
		qemu->ended = true;
	}
	return qemu->ended;
}

bool size_parse(const char *text, uint64_t *bytes)
{
	char *end;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	uint64_t value = strtoull(text, &end, 10);
	switch (*end) {
	case 'K':
	case 'k':
		shift = 10;
		break;
	case 'G':
	case 'g':
		shift = 30;
		break;
	case 'M':
	case 'm':
	case 0: /* as QEMU reads it */
		shift = 20;
		break;
	default:
		return false;
	}
	if (*end && end[1] && strcmp(end + 1, "iB") && strcmp(end + 1, "B"))
		return false;
	*bytes = value << shift;
	return value > 0 && value <= (1ULL << 40) >> shift;
}
