# SPDX-License-Identifier: GPL-2.0
#
# Tools and examples: programs on top of the library. They find it by their
# own place, so that they run where they were built, and in the virtual machine.

TOOLS_DIR := $(BUILD)/tools
TOOLS_CFLAGS = $(CFLAGS) $(SR_CFLAGS) $(DEPFLAGS)
TOOLS_LDLIBS := -L$(BUILD)/lib -Wl,-rpath,'$$ORIGIN/../lib' -lsaferring-user

# --- examples: what people copy from

EXAMPLES := $(TOOLS_DIR)/hello $(TOOLS_DIR)/nvme_checksum
CHECKSUM_OBJECTS := $(patsubst tools/%.c,$(TOOLS_DIR)/%.o, \
	tools/examples/nvme_checksum.c \
	$(wildcard tools/examples/nvme_checksum/*.c))
# Makes the disk and the kernel misbehave, below a program under test.
EXAMPLES_FAULTS := $(TOOLS_DIR)/examples/faults.so

.PHONY: examples
tools: examples
examples: $(EXAMPLES) $(EXAMPLES_FAULTS)

$(TOOLS_DIR)/examples/%.o: tools/examples/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOLS_CFLAGS) -c -o $@ $<

$(TOOLS_DIR)/hello: $(TOOLS_DIR)/examples/hello.o | library
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

-include $(CHECKSUM_OBJECTS:.o=.d) $(TOOLS_DIR)/examples/hello.d \
	$(EXAMPLES_FAULTS:.so=.d)

# Here, and in the virtual machine on the module's memory and a real disk.
CHECK_NATIVE += tools/examples/test/check
CHECK_VM += tools/examples/test/check

.PHONY: examples-check
examples-check: examples	## test the examples
	$(Q)tools/examples/test/check

# --- the demo

DIR ?=
.PHONY: demo demo-build
demo: deps	## the main job on an NVMe disk (LIVE=1 [DIR=...]: of this machine)
	$(Q)tools/examples/demo $(if $(LIVE),--live $(if $(DIR),"$(DIR)"))
demo-build: examples $(if $(LIVE),,$(BUILD)/vm/init module-$(KERNEL))
