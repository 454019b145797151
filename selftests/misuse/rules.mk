# SPDX-License-Identifier: GPL-2.0
#
# The corpus of misuse, run natively and in the virtual machine. The program is
# built for debugging, so that traces have the right lines.

MISUSE := $(BUILD)/misuse/misuse
MISUSE_SOURCES := $(sort $(wildcard selftests/misuse/*.c))

tests: $(MISUSE)
CHECK_NATIVE += $(MISUSE) selftests/misuse/valgrind
CHECK_VM += $(MISUSE)

$(MISUSE): $(MISUSE_SOURCES) selftests/misuse/misuse.h $(LIB_STATIC)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -g -Og $(SR_CFLAGS) \
		-o $@ $(MISUSE_SOURCES) $(LIB_STATIC) $(LIB_LIBS)
