# SPDX-License-Identifier: GPL-2.0
#
# One make graph for user space: every room adds its part in a rules.mk of its
# own. The module is built by kbuild (see Kbuild), once for each kernel, in a
# directory of its own below build/.

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
	     -fno-strict-aliasing -D_GNU_SOURCE -Iinclude
DEPFLAGS = -MMD -MP

# Big things that are the same for every checkout: kernels, sources, images.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/safer-ring

.PHONY: all module library tools tests clean help
all: module library tools tests

include kmod/rules.mk
include lib/rules.mk
include tools/rules.mk
include selftests/rules.mk
include bench/rules.mk

clean:
	rm -rf $(BUILD) safer_ring.ko
