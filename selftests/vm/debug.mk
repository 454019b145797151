# SPDX-License-Identifier: GPL-2.0
#
# The debug lane: the tests once more, on a kernel that looks closely.

DEBUG_RELEASE = $(notdir $(realpath $(CACHE)/kernels/debug))

.PHONY: kernel-debug module-debug check-debug check-debug-build \
	check-debug-planted
kernel-debug:	## build the kernel of check-debug, if it is not in the cache
	$(Q)selftests/vm/debug-kernel.sh >/dev/null

# The release is known only once the kernel is there. With line numbers, for
# scripts/faddr2line on what the kernel reports.
module-debug: kernel-debug
	$(Q)$(MAKE) -s --no-print-directory KMOD_FLAGS=KCFLAGS=-g \
		$(BUILD)/kmod/$(DEBUG_RELEASE)/safer_ring.ko \
		$(BUILD)/importer/$(DEBUG_RELEASE)/safer_ring_importer.ko

check-debug-build: library tools tests kselftest $(VM_INIT) module-debug
check-debug: deps	## every test on a kernel with KASAN, lockdep, kmemleak
	$(Q)selftests/vm/check-debug
check-debug-planted: deps	## prove that check-debug finds planted bugs
	$(Q)$(MAKE) -s --no-print-directory check-debug-build
	$(Q)selftests/vm/planted.sh
