# SPDX-License-Identifier: GPL-2.0
#
# The tests, and the virtual machine that they run in.

VM_INIT := $(BUILD)/vm/init

$(VM_INIT): $(wildcard selftests/vm/guest/*.[ch])
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(filter-out -Iinclude,$(SR_CFLAGS)) -static \
		-o $@ $(filter %.c,$^)
