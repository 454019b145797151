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

# Besides the programs, the interface, which needs the compiler and the tree.
CHECK_NATIVE += $(UNIT_BIN) selftests/unit/interface
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

# Not with instrumented objects, which need the sanitizer's own library.
UNIT_INTERFACE = $(if $(findstring -fsanitize,$(CFLAGS)),,selftests/unit/interface)

.PHONY: check-unit
check-unit: $(UNIT_BIN) library
	$(Q)BUILD=$(BUILD) CC="$(CC)" selftests/unit/run $(UNIT_BIN) \
		$(UNIT_INTERFACE)

-include $(UNIT_BIN:=.d) $(UNIT_OUT)/common.d
.SECONDARY: $(UNIT_BIN:=.o) $(UNIT_OUT)/common.o

# The same under sanitizers and valgrind, each built in a directory of its own.
SANITIZE_ASAN := -O1 -g -fsanitize=address,undefined \
		 -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANITIZE_TSAN := -O1 -g -fsanitize=thread

.PHONY: check-asan check-tsan check-valgrind
check-asan:
	$(Q)ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 \
		$(MAKE) BUILD=$(BUILD)/asan CFLAGS="$(SANITIZE_ASAN)" check-unit

check-tsan:
	$(Q)TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
		$(MAKE) BUILD=$(BUILD)/tsan CFLAGS="$(SANITIZE_TSAN)" check-unit

VALGRIND := valgrind -q --error-exitcode=99 --leak-check=full \
	    --errors-for-leak-kinds=definite --child-silent-after-fork=yes
check-valgrind: $(UNIT_BIN)
	$(Q)UNIT_WRAPPER="$(VALGRIND)" UNIT_TIMEOUT=1200 \
		selftests/unit/run $(UNIT_BIN)
