# SPDX-License-Identifier: GPL-2.0
#
# Unit tests of the library: plain programs that print TAP. They need neither
# the module nor privileges, and run on whatever backend there is.

UNIT_OUT := $(BUILD)/unit
UNIT_SRC := $(filter-out selftests/unit/common.c,$(wildcard selftests/unit/*.c))
UNIT_BIN := $(sort $(UNIT_SRC:selftests/unit/%.c=$(UNIT_OUT)/%))
UNIT_CFLAGS := $(SR_CFLAGS) -Iinclude/uapi -pthread

# Functions that a test puts its own in the place of.
UNIT_WRAP_module := open ioctl mmap
UNIT_WRAP_quarantine := sr_uring_cancel_all
UNIT_WRAP_submit := io_uring_submit

CHECK_NATIVE += $(UNIT_BIN)
tests: $(UNIT_BIN)

$(UNIT_OUT)/%.o: selftests/unit/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(UNIT_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(UNIT_BIN): $(UNIT_OUT)/%: $(UNIT_OUT)/%.o $(UNIT_OUT)/common.o $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB_A) \
		$(foreach w,$(UNIT_WRAP_$*),-Wl,--wrap=$(w)) \
		-lcmocka $(LIB_LIBS)

.PHONY: check-unit
check-unit: $(UNIT_BIN)
	$(Q)selftests/unit/run $(UNIT_BIN)

-include $(UNIT_BIN:=.d) $(UNIT_OUT)/common.d
.SECONDARY: $(UNIT_BIN:=.o) $(UNIT_OUT)/common.o
