# SPDX-License-Identifier: GPL-2.0
#
# One make graph for user space: every room adds its part in a rules.mk of its
# own. The module is built by kbuild (see Kbuild), once for each kernel, in a
# directory of its own below build/. A line of help stands behind ## in the
# rule that it is about.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/bash

BUILD := build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' $(1) $(2))

CC ?= cc
CFLAGS ?= -O2 -g
# What every user-space object is built with, whatever CFLAGS says.
SR_CFLAGS := -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes \
	     -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
	     -D_GNU_SOURCE -Iinclude
DEPFLAGS = -MMD -MP

# Big things that are the same for every checkout: kernels, sources, images.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/safer-ring

# The kernel for the virtual machine, and those that make check goes through: of
# Debian's stable suites, and the newest one, where that can be had.
KERNEL ?= 6.12
KERNELS ?= 6.1 6.12
KERNELS_SID ?= 7

# Where things are installed, as packagers know these; DESTDIR goes before each.
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man

.PHONY: all module library tools tests install clean help
all: module library tools tests	## build everything
install: install-library install-tools install-module	## install it; DESTDIR, PREFIX, LIBDIR

include kmod/rules.mk
include lib/rules.mk
include tools/rules.mk
include selftests/rules.mk
include bench/rules.mk

# --- the virtual machine

# Bring a kernel of Debian into the cache, and build the module for it:
# kernel-6.12, module-6.12, ... The release is known only once it is there.
SERIES := $(sort $(KERNELS) $(KERNEL))
.PHONY: $(SERIES:%=kernel-%) $(SERIES:%=module-%)
$(SERIES:%=kernel-%): kernel-%:
	$(Q)selftests/vm/kernel.sh $* >/dev/null
$(SERIES:%=module-%): module-%: kernel-%
	$(Q)$(MAKE) -s --no-print-directory \
		$(BUILD)/kmod/$$(basename $$(realpath $(CACHE)/kernels/$*))/safer_ring.ko

# The same for the module that the tests bring.
.PHONY: $(SERIES:%=importer-%)
$(SERIES:%=importer-%): importer-%: kernel-%
	$(Q)$(MAKE) -s --no-print-directory \
		$(BUILD)/importer/$$(basename $$(realpath $(CACHE)/kernels/$*))/safer_ring_importer.ko

# Everything that a run on $(KERNEL) needs. MODULE=no leaves the module out,
# any other value is the file of another one.
MODULE ?= $(BUILD)/kmod/$$(basename $$(realpath $(CACHE)/kernels/$(KERNEL)))/safer_ring.ko
VM_MODULE = $(if $(filter no,$(MODULE)),,--module $(MODULE))
.PHONY: vm-ready
vm-ready: library tools tests $(VM_INIT) \
	  $(if $(filter file,$(origin MODULE)),module,kernel)-$(KERNEL)

define vm_hello
echo "This is $(uname -r) in a virtual machine: $(nproc) CPUs, \
$(ls -d /sys/devices/system/node/node* | wc -l) nodes; /data is an NVMe disk on \
node $(cat /sys/class/nvme/nvme0/device/numa_node)."
echo "Try: make vm CMD='ls -l /dev/safer_ring; cat /proc/modules'"
endef
# The dollar signs of the command are the guest's: make must not expand them.
export VM_COMMAND := $(if $(CMD),$(value CMD),$(value vm_hello))

.PHONY: vm vm-shell
vm: deps	## run CMD='...' in the virtual machine, on KERNEL=6.12, 6.1
	$(Q)$(MAKE) -s --no-print-directory vm-ready
	$(Q)selftests/vm/run --kernel $(KERNEL) $(VM_MODULE) $(VM_FLAGS) -- "$$VM_COMMAND"

vm-shell: deps	## an interactive shell there
	$(Q)$(MAKE) -s --no-print-directory vm-ready
	$(Q)selftests/vm/run --kernel $(KERNEL) $(VM_MODULE) $(VM_FLAGS) --shell

# --- for people

# Test programs that print TAP: what other rooms add to these is run natively,
# and in the virtual machine with the module loaded, on every kernel.
CHECK_NATIVE ?=
CHECK_VM ?=
export CHECK_NATIVE CHECK_VM KERNELS KERNELS_SID

.PHONY: check check-build check-harness lint
check: deps	## every test, here and in virtual machines, and lint
	$(Q)selftests/check/run
check-build: library tools tests kselftest $(VM_INIT) $(KERNELS:%=module-%) \
	     $(KERNELS:%=importer-%)
check-harness: deps	## the tests of the virtual machine itself
	$(Q)$(MAKE) -s --no-print-directory $(VM_INIT)
	$(Q)selftests/vm/selftest
lint: | $(CACHE)/linux-source/current	## check style, layers, headers, licences
	$(Q)selftests/lint/run

.PHONY: deps
deps:	## install the Debian packages that all this needs (NO_DEPS=1: do not)
	$(Q)$(if $(NO_DEPS),:,.ci/deps)

clean:	## remove what was built; what is cached in $(CACHE) stays
	rm -rf $(BUILD) safer_ring.ko

help:	## this list
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*	## \(.*\)$$/  \1|\2/p' \
		$(MAKEFILE_LIST) | sort | \
		while IFS='|' read -r t h; do printf '  %-16s %s\n' $$t "$$h"; done
	@echo 'Variables: V=1 (show commands), KDIR (kernel to build the module'
	@echo 'for), KERNEL (of the virtual machine: 6.12, 6.1, or a release in'
	@echo 'the cache), MODULE=no, VM_FLAGS (see selftests/vm/run --help), CC, CFLAGS.'
