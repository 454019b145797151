# SPDX-License-Identifier: GPL-2.0
#
# The bench: a program that measures the library, the gate that counts its
# instructions, and the page that shows both.

BENCH_DIR := $(BUILD)/bench
BENCH := $(BENCH_DIR)/saferring-bench
BENCH_SOURCES := $(filter-out bench/rival_%.c, $(wildcard bench/*.c))
BENCH_OBJECTS := $(BENCH_SOURCES:bench/%.c=$(BENCH_DIR)/%.o)
# Loops lie where place.h puts them.
BENCH_CFLAGS = $(CFLAGS) $(SR_CFLAGS) $(DEPFLAGS) -fno-align-loops
BENCH_LDLIBS := -L$(BUILD)/lib -Wl,-rpath,'$$ORIGIN/../lib' -lsaferring-user \
		-luring -lnuma -lpthread -ldl -lm
# Rivals whose headers are here; the others are skipped with the reason.
BENCH_RIVALS := $(if $(shell pkg-config --exists libdpdk 2>/dev/null && echo y),\
		  $(BENCH_DIR)/rival-mempool.so)

.PHONY: bench-program
tools: bench-program
bench-program: $(BENCH) $(BENCH_RIVALS)

$(BENCH_DIR)/%.o: bench/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_CFLAGS) -c -o $@ $<

$(BENCH): $(BENCH_OBJECTS) | library
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(BENCH_OBJECTS) $(BENCH_LDLIBS)

# What DPDK's headers say is not ours to warn of.
$(BENCH_DIR)/rival-mempool.so: bench/rival_mempool.c bench/rival.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SR_CFLAGS) -Wno-write-strings -Wno-discarded-qualifiers \
		$(subst -I/,-isystem /,$(shell pkg-config --cflags libdpdk)) \
		-fPIC -shared -o $@ $< -Wl,--no-as-needed \
		-lrte_eal -lrte_mempool -lrte_mempool_ring

-include $(BENCH_OBJECTS:.o=.d)

# --- the gate: instructions of an operation against bench/baseline.json

.PHONY: bench-gate bench-baseline
bench-gate: bench-program	## instructions an operation, against the baseline
	$(Q)BUILD=$(BUILD) bench/gate --ratios fit
bench-baseline: bench-program	## make what is built the baseline
	$(Q)BUILD=$(BUILD) bench/gate --update --ratios fit

# --- tests

BENCH_TEST := $(BENCH_DIR)/test/statistics

$(BENCH_TEST): bench/test/statistics.c bench/statistics.c bench/bench.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SR_CFLAGS) -o $@ $(filter %.c,$^) -lcmocka -lm

tests: $(BENCH_TEST)
BENCH_CHECKS := $(BENCH_TEST) bench/test/trend bench/test/page \
		bench/test/facts bench/gate bench/test/planted
CHECK_NATIVE += $(BENCH_CHECKS)
CHECK_VM += bench/test/facts

.PHONY: bench-check
bench-check: bench-program $(BENCH_TEST)	## test the bench itself
	$(Q)BUILD=$(BUILD) selftests/check/programs $(BENCH_CHECKS)

# --- for people

FULL ?=
ROW ?=
COMPARE ?=
.PHONY: bench
bench: bench-program	## measure, and make the page (FULL=1, ROW=..., COMPARE=commit)
	$(Q)BUILD=$(BUILD) bench/run_benchmarks.sh $(if $(FULL),--full) \
		$(if $(COMPARE),--compare $(COMPARE)) $(ROW)

# The kernel's part is in it: in the virtual machine, under instruction counting.
.PHONY: bench-whole
bench-whole: deps	## instructions of whole operations, and write them to bench/PERFORMANCE.md
	$(Q)$(MAKE) -s --no-print-directory bench-program $(VM_INIT) \
		module-$(KERNEL)
	$(Q)bench/whole --write --kernel $(KERNEL) $(VM_MODULE)

.PHONY: bench-table
bench-table:	## write what make bench has measured to bench/PERFORMANCE.md
	$(Q)bench/table $(BENCH_DIR)/report/results.json bench/PERFORMANCE.md
