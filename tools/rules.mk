# SPDX-License-Identifier: GPL-2.0
#
# Tools and examples: programs on top of the library. They find it by their
# own place, so that they run where they were built, and in the virtual machine.

TOOLS_DIR := $(BUILD)/tools
TOOLS_CFLAGS = $(CFLAGS) $(SR_CFLAGS) $(DEPFLAGS)
TOOLS_LDLIBS := -L$(BUILD)/lib -Wl,-rpath,'$$ORIGIN/../lib' -lsaferring-user

# --- examples: what people copy from

EXAMPLES_SMALL := $(addprefix $(TOOLS_DIR)/,hello file_copy echo_server)
EXAMPLES := $(EXAMPLES_SMALL) $(TOOLS_DIR)/nvme_checksum
CHECKSUM_OBJECTS := $(patsubst tools/%.c,$(TOOLS_DIR)/%.o, \
	tools/examples/nvme_checksum.c \
	$(wildcard tools/examples/nvme_checksum/*.c))
# Makes the disk and the kernel misbehave, below a program under test.
EXAMPLES_FAULTS := $(TOOLS_DIR)/examples/faults.so

# Talks to the server among them.
EXAMPLES_CLIENT := $(TOOLS_DIR)/examples/echo_client

.PHONY: examples
tools: examples
examples: $(EXAMPLES) $(EXAMPLES_FAULTS) $(EXAMPLES_CLIENT)

$(TOOLS_DIR)/examples/%.o: tools/examples/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOLS_CFLAGS) -c -o $@ $<

$(EXAMPLES_SMALL): $(TOOLS_DIR)/%: $(TOOLS_DIR)/examples/%.o | library
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOLS_LDLIBS)

$(TOOLS_DIR)/nvme_checksum: $(CHECKSUM_OBJECTS) | library
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOLS_LDLIBS) \
		-lcrypto -ljansson

$(EXAMPLES_FAULTS): tools/examples/test/faults.c | library
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOLS_CFLAGS) -fPIC -shared -o $@ $<

$(EXAMPLES_CLIENT): tools/examples/test/echo_client.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOLS_CFLAGS) -o $@ $< -lpthread

-include $(CHECKSUM_OBJECTS:.o=.d) $(EXAMPLES_CLIENT).d \
	$(EXAMPLES_SMALL:$(TOOLS_DIR)/%=$(TOOLS_DIR)/examples/%.d) \
	$(EXAMPLES_FAULTS:.so=.d)

# Here, and in the virtual machine on the module's memory and a real disk.
CHECK_NATIVE += tools/examples/test/check
CHECK_VM += tools/examples/test/check

.PHONY: examples-check
examples-check: examples	## test the examples
	$(Q)tools/examples/test/check

# --- the command saferring

SAFERRING := $(TOOLS_DIR)/saferring
SAFERRING_OBJECTS := $(patsubst tools/%.c,$(TOOLS_DIR)/%.o, \
	tools/saferring.c tools/output.c tools/segments.c \
	$(wildcard tools/cmd_*.c))

tools: $(SAFERRING)

$(SAFERRING_OBJECTS): $(TOOLS_DIR)/%.o: tools/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOLS_CFLAGS) -c -o $@ $<

$(SAFERRING): $(SAFERRING_OBJECTS) | library
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOLS_LDLIBS) \
		-lsmartcols -ljansson -lncurses -ltinfo -lm

-include $(SAFERRING_OBJECTS:.o=.d)

CHECK_NATIVE += tools/test/saferring tools/test/packaging
CHECK_VM += tools/test/saferring

.PHONY: saferring-check packaging-check install-tools
packaging-check: library tools $(KERNELS:%=kernel-%)	## test what make install puts where
	$(Q)tools/test/packaging
saferring-check: $(SAFERRING) examples	## test the command saferring
	$(Q)tools/test/saferring

install-tools: $(SAFERRING)	## install the command, its manual, its completion
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(CC) $(CFLAGS) $(LDFLAGS) -o $(DESTDIR)$(PREFIX)/bin/saferring \
		$(SAFERRING_OBJECTS) -L$(BUILD)/lib -lsaferring-user \
		-lsmartcols -ljansson -lncurses -ltinfo -lm
	install -m 644 tools/man/saferring.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 tools/completion/saferring \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions

# --- the demo

DIR ?=
.PHONY: demo demo-build
demo: deps	## the main job on an NVMe disk (LIVE=1 [DIR=...]: of this machine)
	$(Q)tools/examples/demo $(if $(LIVE),--live $(if $(DIR),"$(DIR)"))
demo-build: examples $(if $(LIVE),,$(BUILD)/vm/init module-$(KERNEL))
