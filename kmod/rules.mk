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
