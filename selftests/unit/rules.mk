# SPDX-License-Identifier: GPL-2.0
#
# Tests of the library, one program for each object, run natively and in the
# virtual machine. They link the static library, so as to be found alone, and so
# that some can put functions of their own in the place of the library's.

UNIT_DIR := $(BUILD)/unit
# What several tests share, and no test itself.
UNIT_SHARED := $(addprefix selftests/unit/,common.c fake.c placing.c reading.c \
	       scenario.c)
UNIT_SOURCES := $(filter-out $(UNIT_SHARED),$(wildcard selftests/unit/*.c))
UNIT_TESTS := $(sort $(UNIT_SOURCES:selftests/unit/%.c=$(UNIT_DIR)/%))

# Those with rings do their tests once more, on the engine that stands in for
# io_uring: the program's name tells it.
UNIT_WITH_RINGS := \
	adapt_ring batch buffer cancel control error file fork group many \
	model overflow placed_group quarantine ring signals socket threads \
	transfer wait warm
UNIT_ON_THREADS := $(UNIT_WITH_RINGS:%=$(UNIT_DIR)/%-threads)
UNIT_TESTS += $(UNIT_ON_THREADS)

# By test: the functions that it replaces.
UNIT_WRAP_module := open ioctl mmap
UNIT_WRAP_module_gone := $(UNIT_WRAP_module)
UNIT_WRAP_module_share := $(UNIT_WRAP_module)
UNIT_WRAP_quarantine := sr_uring_cancel_all
UNIT_WRAP_submit := io_uring_submit
UNIT_WRAP_warm := malloc calloc realloc mmap

# By test: what it is linked with besides.
UNIT_LIBS_exposition := -ljansson

tests: $(UNIT_TESTS)
# The interface is tested with the compiler and the tree at hand.
CHECK_NATIVE += $(UNIT_TESTS) selftests/unit/interface
CHECK_VM += $(UNIT_TESTS)

$(UNIT_DIR)/%: selftests/unit/%.c selftests/unit/common.c \
	       selftests/unit/common.h $(LIB_STATIC)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SR_CFLAGS) -Iinclude/uapi -o $@ \
		$(filter %.c,$^) $(filter %.a,$^) \
		$(UNIT_WRAP_$*:%=-Wl,--wrap=%) $(UNIT_LIBS_$*) -lcmocka $(LIB_LIBS)

# What else they are made of.
$(filter $(UNIT_DIR)/engine%,$(UNIT_TESTS)): selftests/unit/scenario.c \
					     selftests/unit/scenario.h
$(filter $(UNIT_DIR)/module%,$(UNIT_TESTS)): selftests/unit/fake.c \
					     selftests/unit/fake.h
$(UNIT_DIR)/ring $(UNIT_DIR)/transfer: selftests/unit/reading.c \
				       selftests/unit/reading.h
$(filter $(UNIT_DIR)/placed%,$(UNIT_TESTS)): selftests/unit/placing.c \
					     selftests/unit/placing.h
$(UNIT_DIR)/model: $(wildcard selftests/unit/model/*.c) \
		   selftests/unit/model/model.h

$(UNIT_ON_THREADS): %-threads: %
	$(Q)ln -f $< $@

# --- these tests alone, also under sanitizers and valgrind

UNIT_INTERFACE := selftests/unit/interface

.PHONY: check-unit check-asan check-tsan check-valgrind check-depths
check-unit: $(UNIT_TESTS) library	## the library's tests alone, natively
	$(Q)BUILD=$(BUILD) CC="$(CC)" selftests/unit/run $(UNIT_TESTS) \
		$(UNIT_INTERFACE)

# Each is built in a directory of its own. The interface is left out: programs
# do not link instrumented libraries.
SANITIZE_ASAN := -O1 -g -fsanitize=address,undefined \
		 -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANITIZE_TSAN := -O1 -g -fsanitize=thread

check-asan:	## the same under the address sanitizer and UBSan
	$(Q)ASAN_OPTIONS=detect_stack_use_after_return=1 \
		UBSAN_OPTIONS=print_stacktrace=1 \
		$(MAKE) BUILD=$(BUILD)/asan CFLAGS="$(SANITIZE_ASAN)" \
		UNIT_INTERFACE= check-unit

check-tsan:	## the same under the thread sanitizer
	$(Q)TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
		$(MAKE) BUILD=$(BUILD)/tsan CFLAGS="$(SANITIZE_TSAN)" \
		UNIT_INTERFACE= check-unit

check-depths: $(UNIT_TESTS)	## the same with all pools at depth full and trap
	$(Q)for depth in full trap; do SAFERRING_CHECK=$$depth \
		selftests/unit/run $(UNIT_TESTS) || exit 1; done

VALGRIND := valgrind -q --error-exitcode=99 --leak-check=full \
	    --errors-for-leak-kinds=definite --child-silent-after-fork=yes
check-valgrind: $(UNIT_TESTS)	## the same under valgrind
	$(Q)UNIT_WRAPPER="$(VALGRIND)" UNIT_TIMEOUT=1200 \
		selftests/unit/run $(UNIT_TESTS)
