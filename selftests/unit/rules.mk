# SPDX-License-Identifier: GPL-2.0
#
# Tests of the library, one program for each object, run natively and in the
# virtual machine. They link the static library, so as to be found alone.

UNIT_DIR := $(BUILD)/unit
UNIT_SOURCES := $(filter-out selftests/unit/world.c, \
		  $(wildcard selftests/unit/*.c))
UNIT_TESTS := $(UNIT_SOURCES:selftests/unit/%.c=$(UNIT_DIR)/%)

tests: $(UNIT_TESTS)
CHECK_NATIVE += $(UNIT_TESTS) selftests/unit/symbols
CHECK_VM += $(UNIT_TESTS)

$(UNIT_DIR)/%: selftests/unit/%.c selftests/unit/world.c \
	       selftests/unit/unit.h $(LIB_STATIC)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SR_CFLAGS) -o $@ $(filter %.c %.a,$^) \
		-lcmocka $(LIB_LIBS)
