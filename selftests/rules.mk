# SPDX-License-Identifier: GPL-2.0
#
# The tests, and the virtual machine that they run in.

VM_INIT := $(BUILD)/vm/init

$(VM_INIT): $(wildcard selftests/vm/guest/*.[ch])
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(filter-out -Iinclude,$(SR_CFLAGS)) -static \
		-o $@ $(filter %.c,$^)

# --- a device that imports dma-bufs, for the tests

IMPORTER_SOURCES := $(wildcard selftests/importer/*)

$(BUILD)/importer/%/safer_ring_importer.ko: $(IMPORTER_SOURCES)
	$(call say,KBUILD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)ln -sf $(addprefix $(CURDIR)/,$(IMPORTER_SOURCES)) $(@D)
	$(Q)$(KBUILD_JOBS)MAKE=$(MAKE) selftests/vm/kbuild.sh \
		$(CACHE)/kernels/$*/build $(@D) -s modules

# --- the kselftest target, built as it is in a kernel tree
#
# What is not ours comes out of the kernel's sources in the cache. The tree has
# links to our files, not to our directory: kselftest finds its own files by
# the parent directory of a target.

KSELFTEST := $(BUILD)/kselftest
KSELFTEST_TREE := $(KSELFTEST)/tree
KSELFTEST_DIR := $(KSELFTEST_TREE)/tools/testing/selftests
KSELFTEST_FILES := $(wildcard selftests/*.c selftests/*.h) selftests/importer \
		   selftests/Makefile selftests/config selftests/settings
KSELFTEST_INSTALL := $(KSELFTEST)/install

$(CACHE)/linux-source/current:
	$(Q)selftests/vm/source.sh >/dev/null

# Bringing the sources is a large download, which a plain make is spared.
.PHONY: kselftest
tests: $(if $(wildcard $(CACHE)/linux-source/current),kselftest)
kselftest: | $(CACHE)/linux-source/current	## build the kselftest target
	$(Q)rm -rf $(KSELFTEST_TREE) $(KSELFTEST_INSTALL)
	$(Q)mkdir -p $(KSELFTEST_DIR)/safer_ring
	$(Q)ln -s $(CACHE)/linux-source/current/scripts $(KSELFTEST_TREE)/scripts
	$(Q)ln -s $(CACHE)/linux-source/current/tools/scripts \
		$(KSELFTEST_TREE)/tools/scripts
	$(Q)ln -s $(CACHE)/linux-source/current/tools/testing/selftests/* \
		$(KSELFTEST_DIR)
	$(Q)ln -s $(KSELFTEST_FILES:%=$(CURDIR)/%) $(KSELFTEST_DIR)/safer_ring
	$(Q)$(MAKE) -C $(KSELFTEST_DIR) TARGETS=safer_ring FORCE_TARGETS=1 \
		O=$(CURDIR)/$(KSELFTEST)/out SRCARCH=x86 \
		KSFT_INSTALL_PATH=$(CURDIR)/$(KSELFTEST_INSTALL) install \
		$(if $(filter 1,$(V)),,-s) $(if $(filter 1,$(V)),,>/dev/null)

# --- an unmodified program on the module's memory

CHECK_VM += selftests/check/fio

# --- tests of the library

include selftests/misuse/rules.mk
include selftests/unit/rules.mk

# --- the debug lane

include selftests/vm/debug.mk

# --- what the module costs

include selftests/cost/rules.mk
