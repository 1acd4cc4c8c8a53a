/* SPDX-License-Identifier: MIT */
/*
 * sh [-c COMMAND | FILE]: the shell.
 *
 *   list      andor { (; | & | newline) andor }      & runs it in the background
 *   andor     pipeline { (&& | ||) pipeline }
 *   pipeline  command { | command }
 *   command   words and redirections < > >>, or ( list )
 *
 * Quotes '...' and "..." and the backslash keep what is special as text; # begins a comment; the word $? is the last
 * status. Built in: cd, exit, help, wait. A line is cut into tokens once and executed from them: no tree is built, so a
 * branch that is not taken is walked over with `skip` set.
 *
 * Status of a command: what it gave to exit; 255 when it was killed; 126 and 127 when it could not be started.
 */
#include "ulib.h"

#define LINE_BYTES 2048
#define TOKENS_MAX 256
#define KILLED_STATUS 255

enum token_type {
	TOKEN_WORD,
	TOKEN_SEMICOLON,
	TOKEN_BACKGROUND,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_PIPE,
	TOKEN_IN,
	TOKEN_OUT,
	TOKEN_APPEND,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_END,
};

struct token {
	enum token_type type;
	char *text; /* of a word */
	bool quoted;
};

struct redirection {
	enum token_type type;
	char *path;
};

static struct token tokens[TOKENS_MAX];
static char words[LINE_BYTES * 2]; /* the words' text */
static int last_status;
static bool interactive;

/* ---- tokens ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static enum token_type take_operator(const char **cursor)
{
	static const struct {
		const char *text;
		enum token_type type;
	} operators[] = {
	    {"&&", TOKEN_AND},       {"||", TOKEN_OR},        {">>", TOKEN_APPEND}, {";", TOKEN_SEMICOLON},
	    {"\n", TOKEN_SEMICOLON}, {"&", TOKEN_BACKGROUND}, {"|", TOKEN_PIPE},    {"<", TOKEN_IN},
	    {">", TOKEN_OUT},        {"(", TOKEN_OPEN},       {")", TOKEN_CLOSE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		size_t length = strlen(operators[i].text);
		if (strncmp(*cursor, operators[i].text, length) == 0) {
			*cursor += length;
			return operators[i].type;
		}
	}
	return TOKEN_WORD;
}

/* Copies one word to *out without its quotes. False: a quote is not closed. */
static bool take_word(const char **cursor, char **out, bool *quoted)
{
	const char *c = *cursor;
	char quote = 0;

	for (; *c; c++) {
		if (quote ? *c == quote : (*c == '\'' || *c == '"')) {
			quote = quote ? 0 : *c;
			*quoted = true;
		} else if (*c == '\\' && quote != '\'' && c[1]) {
			*(*out)++ = *++c;
			*quoted = true;
		} else if (!quote && (is_blank(*c) || strchr("&|;<>()\n", *c))) {
			break;
		} else {
			*(*out)++ = *c;
		}
	}
	*(*out)++ = 0;
	*cursor = c;
	return !quote;
}

/* Cuts a line into tokens. False, with a message, when that cannot be done. */
static bool tokenize(const char *line)
{
	char *out = words;
	int n = 0;

	if (strlen(line) >= LINE_BYTES) {
		fprintf(2, "sh: line too long\n");
		return false;
	}
	for (;;) {
		while (is_blank(*line))
			line++;
		if (*line == '#')
			while (*line && *line != '\n')
				line++;
		if (n == TOKENS_MAX - 1) {
			fprintf(2, "sh: too many words\n");
			return false;
		}
		tokens[n] = (struct token){.type = TOKEN_END};
		if (!*line)
			return true;
		tokens[n].type = take_operator(&line);
		if (tokens[n].type == TOKEN_WORD) {
			tokens[n].text = out;
			if (!take_word(&line, &out, &tokens[n].quoted)) {
				fprintf(2, "sh: quote not closed\n");
				return false;
			}
		}
		n++;
	}
}

/* ---- execution ---- */

static struct token *run_list(struct token *at, bool skip);

static int redirect(const struct redirection *redirection)
{
	int target = redirection->type == TOKEN_IN ? 0 : 1;
	int flags = redirection->type == TOKEN_IN    ? O_RDONLY
		    : redirection->type == TOKEN_OUT ? O_WRONLY | O_CREAT | O_TRUNC
						     : O_WRONLY | O_CREAT | O_APPEND;
	int fd = open(redirection->path, flags, 0644);

	if (fd < 0) {
		fprintf(2, "sh: %s: %s\n", redirection->path, error_text(fd));
		return fd;
	}
	/* The lowest free descriptor is the one that was just closed. */
	close(target);
	dup(fd);
	close(fd);
	return 0;
}

static int syntax_error(const struct token *at)
{
	fprintf(2, "sh: syntax error near `%s'\n",
		at->text                ? at->text
		: at->type == TOKEN_END ? "end"
					: "operator");
	return 2;
}

static void print_help(void)
{
	printf("A command is the name of a program in /bin (`ls /bin` lists them) or of something that\n"
	       "the shell does itself:\n"
	       "\n"
	       "  cd [DIRECTORY]   goes there; without one to /\n"
	       "  exit [STATUS]    ends the shell\n"
	       "  help             this text\n"
	       "  wait             waits for everything in the background\n"
	       "\n"
	       "  A ; B            one after the other      A & B     A in the background\n"
	       "  A && B           B if A succeeded         A || B    B if A failed\n"
	       "  A | B            A's output is B's input  ( ... )   as one command\n"
	       "  < FILE  > FILE  >> FILE                   input, output, output at its end\n"
	       "  '...'  \"...\"  \\                          text that is not special\n"
	       "  $?                                        the last status\n"
	       "\n"
	       "`cat /README` has some things to try. `poweroff` ends the machine.\n");
}

/* cd, exit, help and wait; false: it is none of them. */
static bool run_builtin(char **argv)
{
	if (strcmp(argv[0], "cd") == 0) {
		int err = chdir(argv[1] ? argv[1] : "/");
		if (err < 0)
			fprintf(2, "cd: %s: %s\n", argv[1] ? argv[1] : "/", error_text(err));
		last_status = err < 0;
	} else if (strcmp(argv[0], "exit") == 0) {
		exit(argv[1] ? (int)parse_number(argv[1]) : last_status);
	} else if (strcmp(argv[0], "help") == 0) {
		print_help();
		last_status = 0;
	} else if (strcmp(argv[0], "wait") == 0) {
		while (wait(NULL) > 0)
			;
		last_status = 0;
	} else {
		return false;
	}
	return true;
}

static void exec_or_die(char **argv)
{
	int err = exec_program(argv);

	fprintf(2, "%s: %s\n", argv[0], error_text(err));
	exit(err == -ENOENT ? 127 : 126);
}

static int status_of(int pid)
{
	int status = 0;

	return wait_pid(pid, &status) < 0 || status == -1 ? KILLED_STATUS : status;
}

/*
 * One command. `forked`: this process is the command's own, and ends with it. Returns the token behind it; NULL, with
 * a message, when it is none. With `skip` that is all it does: a line is walked over once before it is run.
 */
static struct token *run_command(struct token *at, bool skip, bool forked)
{
	struct redirection redirections[8];
	char *argv[ARG_MAX_COUNT + 1], status_text[16];
	struct token *group = NULL;
	int argc = 0, nr_redirections = 0;
	bool closed = false;

	for (;; at++) {
		if (at->type == TOKEN_WORD && argc < ARG_MAX_COUNT) {
			argv[argc] = at->text;
			if (strcmp(at->text, "$?") == 0 && !at->quoted) {
				snprintf(status_text, sizeof(status_text), "%d", last_status);
				argv[argc] = status_text;
			}
			argc++;
		} else if (at->type == TOKEN_OPEN && !group && argc == 0) {
			group = at + 1;
			at = run_list(group, true);
			if (!at)
				return NULL;
			closed = at->type == TOKEN_CLOSE;
			if (!closed)
				break;
		} else if ((at->type == TOKEN_IN || at->type == TOKEN_OUT || at->type == TOKEN_APPEND) &&
			   at[1].type == TOKEN_WORD && nr_redirections < (int)ARRAY_SIZE(redirections)) {
			redirections[nr_redirections++] = (struct redirection){at->type, (++at)->text};
		} else {
			break;
		}
	}
	bool empty = argc == 0 && !group && nr_redirections == 0;
	if (empty || (group && !closed)) {
		last_status = syntax_error(at);
		return NULL;
	}
	if (skip)
		return at;
	argv[argc] = NULL;
	if (!forked && argc > 0 && nr_redirections == 0 && run_builtin(argv))
		return at;
	int pid = forked ? 0 : fork();
	if (pid < 0) {
		fprintf(2, "sh: fork: %s\n", error_text(pid));
		last_status = 126;
		return at;
	}
	if (pid > 0) {
		last_status = status_of(pid);
		return at;
	}
	interactive = false;
	for (int i = 0; i < nr_redirections; i++)
		if (redirect(&redirections[i]) < 0)
			exit(1);
	if (group)
		run_list(group, false);
	else if (argc > 0 && !run_builtin(argv))
		exec_or_die(argv);
	exit(group || argc > 0 ? last_status : 0);
}

/* A row of commands joined by pipes, each in a process of its own; the last one's status counts. */
static struct token *run_pipeline(struct token *at, bool skip)
{
	struct token *end = run_command(at, true, false);
	int pids[16], nr = 0, input = -1;

	if (!end || skip || end->type != TOKEN_PIPE) {
		while (end && end->type == TOKEN_PIPE)
			end = run_command(end + 1, true, false);
		if (!end)
			return NULL;
		return skip ? end : run_command(at, false, false);
	}
	for (bool more = true; more; at = end + 1) {
		int fds[2] = {-1, -1};
		end = run_command(at, true, false);
		more = end->type == TOKEN_PIPE && nr < (int)ARRAY_SIZE(pids) - 1;
		if (more && pipe(fds) < 0) {
			fprintf(2, "sh: no pipe\n");
			break;
		}
		int pid = fork();
		if (pid == 0) {
			if (input >= 0) {
				close(0);
				dup(input);
				close(input);
			}
			if (more) {
				close(1);
				dup(fds[1]);
				close(fds[0]);
				close(fds[1]);
			}
			run_command(at, false, true);
		}
		if (input >= 0)
			close(input);
		if (more)
			close(fds[1]);
		input = fds[0];
		if (pid < 0) {
			fprintf(2, "sh: fork: %s\n", error_text(pid));
			break;
		}
		pids[nr++] = pid;
	}
	if (input >= 0)
		close(input);
	/* They may end in any order. */
	last_status = 126;
	for (int left = nr, status; left > 0;) {
		int pid = wait(&status);
		if (pid < 0)
			break;
		for (int i = 0; i < nr; i++)
			left -= pids[i] == pid;
		if (nr > 0 && pid == pids[nr - 1])
			last_status = status == -1 ? KILLED_STATUS : status;
	}
	while (end->type == TOKEN_PIPE)
		end = run_command(end + 1, true, false);
	return end;
}

static struct token *run_andor(struct token *at, bool skip)
{
	at = run_pipeline(at, skip);
	while (at && (at->type == TOKEN_AND || at->type == TOKEN_OR)) {
		bool wanted = (at->type == TOKEN_AND) == (last_status == 0);
		at = run_pipeline(at + 1, skip || !wanted);
	}
	return at;
}

/* Until the end or an unmatched `)`; NULL after a syntax error. */
static struct token *run_list(struct token *at, bool skip)
{
	while (at) {
		while (at->type == TOKEN_SEMICOLON)
			at++;
		if (at->type == TOKEN_END || at->type == TOKEN_CLOSE)
			return at;
		struct token *end = run_andor(at, true);
		if (!end)
			return NULL;
		if (!skip && end->type == TOKEN_BACKGROUND) {
			int pid = fork();
			if (pid == 0) {
				run_andor(at, false);
				exit(last_status);
			}
			if (pid < 0)
				fprintf(2, "sh: fork: %s\n", error_text(pid));
			else if (interactive)
				printf("[%d]\n", pid);
		} else if (!skip && !run_andor(at, false)) {
			return NULL;
		}
		if (end->type != TOKEN_SEMICOLON && end->type != TOKEN_BACKGROUND && end->type != TOKEN_END &&
		    end->type != TOKEN_CLOSE) {
			if (!skip)
				last_status = syntax_error(end);
			return skip ? end : NULL;
		}
		at = end->type == TOKEN_BACKGROUND ? end + 1 : end;
	}
	return NULL;
}

static void run_text(const char *text)
{
	if (!tokenize(text)) {
		last_status = 2;
		return;
	}
	struct token *end = run_list(tokens, false);
	if (end && end->type != TOKEN_END)
		last_status = syntax_error(end);
}

int main(int argc, char **argv)
{
	static struct line_reader input;
	static char line[LINE_BYTES];
	struct stat st;

	if (argc >= 3 && strcmp(argv[1], "-c") == 0) {
		run_text(argv[2]);
		return last_status;
	}
	if (argc >= 2) {
		int fd = open(argv[1], O_RDONLY);
		if (fd < 0)
			die("sh: %s: %s", argv[1], error_text(fd));
		input.fd = fd;
	}
	interactive = input.fd == 0 && fstat(0, &st) == 0 && (st.st_mode & S_IFMT) == S_IFCHR;
	for (;;) {
		while (interactive && wait_nohang(NULL) > 0)
			;
		if (interactive)
			printf("$ ");
		if (line_read(&input, line, sizeof(line)) < 0)
			break;
		run_text(line);
	}
	return last_status;
}
