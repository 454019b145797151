# SPDX-License-Identifier: GPL-2.0
#
# What the module costs, in instructions, on a virtual machine that counts them.

COST := $(BUILD)/cost/cost
COST_OBJECTS := $(patsubst selftests/cost/%.c,$(BUILD)/cost/%.o, \
		$(wildcard selftests/cost/*.c))

$(BUILD)/cost/%.o: selftests/cost/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SR_CFLAGS) -Iinclude/uapi $(DEPFLAGS) -c -o $@ $<

$(COST): $(COST_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljansson -lsmartcols

-include $(COST_OBJECTS:.o=.d)

# COST_FLAGS are the program's: see build/cost/cost --help.
.PHONY: cost cost-table cost-build
cost: deps	## count the module's instructions beside hugetlb's (COST_FLAGS=...)
	$(Q)$(MAKE) -s --no-print-directory cost-build
	$(Q)selftests/cost/run --kernel $(KERNEL) $(VM_MODULE) -- $(COST_FLAGS)
cost-table: deps	## write what that counts to selftests/cost/COST.md
	$(Q)$(MAKE) -s --no-print-directory cost-build
	$(Q)selftests/cost/table --kernel $(KERNEL) $(VM_MODULE)
cost-build: $(COST) $(VM_INIT) module-$(KERNEL)
