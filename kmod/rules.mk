# SPDX-License-Identifier: GPL-2.0
#
# The module, once for each kernel, in build/kmod/RELEASE. The sources are
# linked there, so that kbuild leaves nothing beside them and several kernels
# can be built for side by side.

# The kernel to build for: the running one if its headers are here, otherwise
# Debian's that the tests boot.
RUNNING_KDIR := /lib/modules/$(shell uname -r)/build
KDIR ?= $(or $(wildcard $(RUNNING_KDIR)),$(CACHE)/kernels/$(KERNEL)/build)
KMOD_RELEASE = $(shell cat $(KDIR)/include/config/kernel.release)
KMOD_SOURCES := Kbuild $(wildcard kmod/*.[ch]) include/uapi/linux/safer_ring.h

# What hands make's job slots on to a script. make -n is to run nothing.
KBUILD_JOBS := $(if $(findstring n,$(firstword -$(MAKEFLAGS))),,+)

# Build for the kernel whose build directory is $(1), in $(2); kbuild.sh knows
# which kernels want tools that this machine does not have.
define kmod_build
	$(call say,KBUILD,$(2)/safer_ring.ko)
	$(Q)mkdir -p $(addprefix $(2)/,$(sort $(dir $(KMOD_SOURCES))))
	$(Q)for f in $(KMOD_SOURCES); do ln -sf $(CURDIR)/$$f $(2)/$$f; done
	$(Q)$(KBUILD_JOBS)MAKE=$(MAKE) selftests/vm/kbuild.sh $(1) $(2) \
		$(if $(filter 1,$(V)),,-s) $(KMOD_FLAGS) modules
endef

$(BUILD)/kmod/%/safer_ring.ko: $(KMOD_SOURCES)
	$(call kmod_build,$(CACHE)/kernels/$*/build,$(@D))

# At the root, for `insmod safer_ring.ko`.
module: $(if $(wildcard $(KDIR)),,kernel-$(KERNEL))
	$(call kmod_build,$(KDIR),$(BUILD)/kmod/$(KMOD_RELEASE))
	$(Q)cp $(BUILD)/kmod/$(KMOD_RELEASE)/safer_ring.ko safer_ring.ko

# --- installing

# DKMS builds of what lies in /usr/src by itself, for each kernel that comes.
KMOD_VERSION := $(shell sed -n 's/^MODULE_VERSION("\(.*\)");/\1/p' kmod/main.c)
KMOD_INSTALLED = $(DESTDIR)/lib/modules/$(KMOD_RELEASE)
DKMS_SOURCES = $(DESTDIR)/usr/src/safer-ring-$(KMOD_VERSION)

# The device is root's unless there is udev with the rule, and the group.
.PHONY: install-device install-dkms install-module
install-device:
	install -d $(DESTDIR)$(PREFIX)/lib/udev/rules.d \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d \
		$(DESTDIR)$(MANDIR)/man4
	install -m 644 tools/packaging/60-safer-ring.rules \
		$(DESTDIR)$(PREFIX)/lib/udev/rules.d
	install -m 644 tools/packaging/safer-ring.sysusers \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/safer-ring.conf
	install -m 644 kmod/safer_ring.4 $(DESTDIR)$(MANDIR)/man4
	install -d $(DESTDIR)$(INCLUDEDIR)/linux
	install -m 644 include/uapi/linux/safer_ring.h \
		$(DESTDIR)$(INCLUDEDIR)/linux

install-module: module install-device	## install the module for the kernel of KDIR
	install -d $(KMOD_INSTALLED)/updates
	install -m 644 safer_ring.ko $(KMOD_INSTALLED)/updates
	$(if $(DESTDIR),@echo "no depmod: packages do that where they end up",depmod $(KMOD_RELEASE))

install-dkms: install-device	## install the module's sources, for DKMS to build
	install -d $(addprefix $(DKMS_SOURCES)/,$(sort $(dir $(KMOD_SOURCES))))
	for f in $(KMOD_SOURCES); do \
		install -m 644 $$f $(DKMS_SOURCES)/$$f || exit; \
	done
	sed 's/@VERSION@/$(KMOD_VERSION)/' tools/packaging/dkms.conf.in \
		> $(DKMS_SOURCES)/dkms.conf
