# SPDX-License-Identifier: GPL-2.0
#
# The corpus of misuse, run natively and in the virtual machine. The program is
# built for debugging, so that traces have the right lines.

MISUSE := $(BUILD)/misuse/misuse
MISUSE_SOURCES := $(sort $(wildcard selftests/misuse/*.c))

# All of it once more, on the engine that stands in for io_uring.
MISUSE_ON_THREADS := $(MISUSE)-threads

tests: $(MISUSE) $(MISUSE_ON_THREADS)
CHECK_NATIVE += $(MISUSE) $(MISUSE_ON_THREADS) selftests/misuse/valgrind
CHECK_VM += $(MISUSE) $(MISUSE_ON_THREADS)

$(MISUSE): $(MISUSE_SOURCES) selftests/misuse/misuse.h $(LIB_STATIC)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -g -Og $(SR_CFLAGS) \
		-o $@ $(MISUSE_SOURCES) $(LIB_STATIC) $(LIB_LIBS)

$(MISUSE_ON_THREADS): $(MISUSE)
	$(Q)ln -f $< $@
