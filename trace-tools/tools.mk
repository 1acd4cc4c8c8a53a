# SPDX-License-Identifier: MIT
# The host's tools: libpagetrail, the `pagetrail` command, and what is generated for CTF readers and Python.
HOSTCC ?= gcc
TOOLS_BUILD := $(BUILD)/trace-tools
PAGETRAIL := $(TOOLS_BUILD)/pagetrail
# The rooms of the library, lowest first: trace-tools/LAYERS.
TOOLS_ROOMS := base ctf target describe replay analysis export report run
TOOLS_LIB_SRC := $(sort $(wildcard $(TOOLS_ROOMS:%=trace-tools/%/*.c)))
TOOLS_GEN_OBJ := $(patsubst trace-tools/%.c,$(TOOLS_BUILD)/%.o,$(sort $(wildcard trace-tools/gen/*.c)))
TOOLS_LIB_OBJ := $(TOOLS_LIB_SRC:trace-tools/%.c=$(TOOLS_BUILD)/%.o) $(TOOLS_BUILD)/report_page.o
TOOLS_CMD_OBJ := $(patsubst trace-tools/%.c,$(TOOLS_BUILD)/%.o,$(sort $(wildcard trace-tools/cmd/*.c))) $(TOOLS_BUILD)/help_texts.o
TOOLS_PLOTS := $(patsubst trace-tools/%,$(TOOLS_BUILD)/%,$(sort $(wildcard trace-tools/plots/*.py)))
TOOLS_SANITIZE ?=
# Said by `pagetrail --version`.
TOOLS_VERSION := 1.0
TOOLS_CFLAGS := -std=gnu11 -DPAGETRAIL_VERSION=\"$(TOOLS_VERSION)\" -O2 -g -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wno-unused-parameter -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Itrace-tools -Ikernel/include $(TOOLS_SANITIZE) -MMD -MP
TOOLS_LIBS := -ldw -lelf -lsqlite3 -lz -lm


# The QEMU plugin: apart from the library, for it runs inside QEMU. It needs no header of QEMU or glib.
PLUGIN := $(TOOLS_BUILD)/pagetrail-plugin.so
PLUGIN_OBJ := $(patsubst trace-tools/%.c,$(TOOLS_BUILD)/%.o,$(sort $(wildcard trace-tools/plugin/*.c)))

.PHONY: tools
tools: $(PAGETRAIL) $(PLUGIN) $(TOOLS_BUILD)/pagetrail_tables.py $(TOOLS_BUILD)/metadata $(TOOLS_PLOTS) ## build the pagetrail command and its QEMU plugin

.PHONY: docs
docs: tools ## regenerate the generated parts of docs/
	$(PAGETRAIL) help --markdown > docs/PAGETRAIL.md
	$(TOOLS_BUILD)/tables markdown > $(TOOLS_BUILD)/tables.md
	sed -i -e '/^<!-- generated/,/^<!-- end/{/^<!--/!d}' -e '/^<!-- generated/r $(TOOLS_BUILD)/tables.md' docs/TRACE-FORMAT.md
	$(PYTHON) trace-tools/json/forms.py schema > docs/pagetrail.schema.json
	$(PYTHON) trace-tools/json/forms.py markdown > docs/JSON.md

# The man pages and the shells' completion come from the program itself.
TOOLS_SHARE := $(TOOLS_BUILD)/share
TOOLS_TEXTS := $(TOOLS_SHARE)/texts
.PHONY: man install
man: $(TOOLS_TEXTS) ## write the man pages and the shells' completion (build/trace-tools/share)
$(TOOLS_TEXTS): $(PAGETRAIL) $(TOOLS_BUILD)/tables
	@rm -rf $(TOOLS_SHARE)
	@mkdir -p $(TOOLS_SHARE)/man/man1 $(TOOLS_SHARE)/man/man5 $(TOOLS_SHARE)/bash-completion/completions $(TOOLS_SHARE)/zsh/site-functions \
		$(TOOLS_SHARE)/fish/vendor_completions.d
	$(TOOLS_BUILD)/tables man > $(TOOLS_SHARE)/man/man5/pagetrail-trace.5
	$< help --man > $(TOOLS_SHARE)/man/man1/pagetrail.1
	for c in $$($< help --complete ""); do [ $$c = help ] || $< help --man $$c > $(TOOLS_SHARE)/man/man1/pagetrail-$$c.1; done
	$< help --completion bash > $(TOOLS_SHARE)/bash-completion/completions/pagetrail
	$< help --completion zsh > $(TOOLS_SHARE)/zsh/site-functions/_pagetrail
	$< help --completion fish > $(TOOLS_SHARE)/fish/vendor_completions.d/pagetrail.fish
	@touch $@

PREFIX ?= /usr/local
install: tools man ## put pagetrail, its man pages and completion under PREFIX (/usr/local); DESTDIR=
	@mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/pagetrail/plots $(DESTDIR)$(PREFIX)/share/pagetrail/descriptions
	install $(PAGETRAIL) $(DESTDIR)$(PREFIX)/bin/pagetrail
	install -D -m 644 $(PLUGIN) $(DESTDIR)$(PREFIX)/lib/pagetrail/$(notdir $(PLUGIN))
	install -m 644 $(TOOLS_BUILD)/pagetrail_tables.py $(DESTDIR)$(PREFIX)/share/pagetrail/
	install -m 644 docs/pagetrail.schema.json $(DESTDIR)$(PREFIX)/share/pagetrail/
	install -m 644 $(TOOLS_PLOTS) $(DESTDIR)$(PREFIX)/share/pagetrail/plots/
	install -m 644 trace-tools/descriptions/*.kd $(DESTDIR)$(PREFIX)/share/pagetrail/descriptions/
	cp -r $(filter-out $(TOOLS_TEXTS),$(wildcard $(TOOLS_SHARE)/*)) $(DESTDIR)$(PREFIX)/share/

$(PAGETRAIL): $(TOOLS_CMD_OBJ) $(TOOLS_BUILD)/libpagetrail.a
	@echo "  LD    $@"
	$(HOSTCC) $(TOOLS_SANITIZE) -o $@ $^ $(TOOLS_LIBS)

$(PLUGIN): $(PLUGIN_OBJ)
	@echo "  LD    $@"
	$(HOSTCC) -shared -o $@ $^ -pthread
$(PLUGIN_OBJ): TOOLS_CFLAGS += -fPIC -fvisibility=hidden

$(TOOLS_BUILD)/libpagetrail.a: $(TOOLS_LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(TOOLS_BUILD)/tables: $(TOOLS_GEN_OBJ) $(TOOLS_BUILD)/libpagetrail.a
	$(HOSTCC) $(TOOLS_SANITIZE) -o $@ $^

# What --help, the man pages and docs/PAGETRAIL.md say of each command.
TOOLS_HELP := $(sort $(wildcard trace-tools/help/*.txt))
$(TOOLS_BUILD)/help_texts.c: trace-tools/help/embed.py trace-tools/gen/c_text.py $(TOOLS_HELP)
	@mkdir -p $(@D)
	$(PYTHON) $< $(TOOLS_HELP) > $@.new && mv $@.new $@
$(TOOLS_BUILD)/help_texts.o: $(TOOLS_BUILD)/help_texts.c
	$(HOSTCC) $(TOOLS_CFLAGS) -c -o $@ $<

# The style and the scripts of the HTML report; each script uses what those before it define.
REPORT_PAGE := $(addprefix trace-tools/report/page/,report.css data.js dom.js selection.js tables.js run_tables.js flame.js timeline.js map.js compare.js start.js)
$(TOOLS_BUILD)/report_page.c: trace-tools/report/page/embed.py trace-tools/gen/c_text.py $(REPORT_PAGE)
	@mkdir -p $(@D)
	$(PYTHON) $< $(REPORT_PAGE) > $@.new && mv $@.new $@
$(TOOLS_BUILD)/report_page.o: $(TOOLS_BUILD)/report_page.c
	$(HOSTCC) $(TOOLS_CFLAGS) -c -o $@ $<

$(TOOLS_BUILD)/pagetrail_tables.py: $(TOOLS_BUILD)/tables
	$< python > $@.new && mv $@.new $@
$(TOOLS_BUILD)/metadata: $(TOOLS_BUILD)/tables
	$< metadata > $@.new && mv $@.new $@

$(TOOLS_BUILD)/plots/%.py: trace-tools/plots/%.py
	@mkdir -p $(@D)
	cp $< $@

$(TOOLS_BUILD)/%.o: trace-tools/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(HOSTCC) $(TOOLS_CFLAGS) -c -o $@ $<
-include $(TOOLS_LIB_OBJ:.o=.d) $(TOOLS_CMD_OBJ:.o=.d) $(PLUGIN_OBJ:.o=.d) $(TOOLS_GEN_OBJ:.o=.d)
