# SPDX-License-Identifier: GPL-2.0
#
# libsaferring-user: shared and static library, pkg-config file, manual pages.

LIB_OUT := $(BUILD)/lib
LIB_SONAME := libsaferring-user.so.1
LIB_VERSION := 1.0
LIB_MAP := lib/libsaferring-user.map
LIB_SRC := $(sort $(wildcard lib/*.c))
LIB_OBJ := $(LIB_SRC:lib/%.c=$(LIB_OUT)/%.o)
LIB_SO := $(LIB_OUT)/libsaferring-user.so.$(LIB_VERSION)
LIB_A := $(LIB_OUT)/libsaferring-user.a
LIB_PC := $(LIB_OUT)/libsaferring-user.pc
LIB_HEADERS := include/saferring.h $(sort $(wildcard include/saferring/*.h))
LIB_MAN := $(sort $(wildcard lib/man/*.3 lib/man/*.7))
LIB_CFLAGS := $(SR_CFLAGS) -Iinclude/uapi -DSAFERRING_BUILD -fPIC \
	      -fvisibility=hidden -pthread
LIB_LIBS := -luring -lnuma -pthread

# What a program in this tree is linked with, and what that depends on.
SAFERRING_LIBS := $(LIB_A) $(LIB_LIBS)
SAFERRING_DEPS := $(LIB_A)

library: $(LIB_SO) $(LIB_A) $(LIB_PC)
.PHONY: library install-library

$(LIB_OUT)/%.o: lib/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LIB_CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(LIB_A): $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

$(LIB_SO): $(LIB_OBJ) $(LIB_MAP)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(LIB_SONAME) \
		-Wl,--version-script=$(LIB_MAP) -Wl,-z,defs -o $@ $(LIB_OBJ) \
		$(LIB_LIBS)
	$(Q)ln -sf $(@F) $(LIB_OUT)/$(LIB_SONAME)
	$(Q)ln -sf $(LIB_SONAME) $(LIB_OUT)/libsaferring-user.so

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man

$(LIB_PC): lib/libsaferring-user.pc.in lib/rules.mk
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(LIB_VERSION)|' $< >$@

install-library: library
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(INCLUDEDIR)/saferring \
		$(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7
	install -m 755 $(LIB_SO) $(DESTDIR)$(LIBDIR)
	ln -sf $(notdir $(LIB_SO)) $(DESTDIR)$(LIBDIR)/$(LIB_SONAME)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/libsaferring-user.so
	install -m 644 $(LIB_A) $(DESTDIR)$(LIBDIR)
	install -m 644 $(LIB_PC) $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 include/saferring.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(filter-out include/saferring.h,$(LIB_HEADERS)) \
		$(DESTDIR)$(INCLUDEDIR)/saferring
	install -m 644 $(filter %.3,$(LIB_MAN)) $(DESTDIR)$(MANDIR)/man3
	install -m 644 $(filter %.7,$(LIB_MAN)) $(DESTDIR)$(MANDIR)/man7
	@# Each function can be asked for by its own name.
	for page in $(notdir $(filter %.3,$(LIB_MAN))); do \
		sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_]*\).*/\1/p' \
			lib/man/$$page | while read -r name; do \
			[ "$$name.3" = "$$page" ] || ln -sf "$$page" \
				"$(DESTDIR)$(MANDIR)/man3/$$name.3"; \
		done; \
	done

-include selftests/unit/rules.mk
-include $(LIB_OBJ:.o=.d)
