# SPDX-License-Identifier: GPL-2.0
#
# The library, shared and static, and its installation.

LIB_NAME := libsaferring-user
LIB_VERSION := 1.0
LIB_SONAME := $(LIB_NAME).so.1
LIB_DIR := $(BUILD)/lib
LIB_SHARED := $(LIB_DIR)/$(LIB_SONAME)
LIB_STATIC := $(LIB_DIR)/$(LIB_NAME).a
LIB_MAP := lib/$(LIB_NAME).map
LIB_SOURCES := $(sort $(wildcard lib/*.c))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
LIB_MANUALS := $(sort $(wildcard lib/man/*.3 lib/man/*.7))
# What a program has to be linked with, besides the library.
LIB_LIBS := -luring -lnuma -lpthread

# SDT=no leaves the probes of lib/probes.h out.
SDT ?= yes
LIB_CFLAGS := -fPIC -fvisibility=hidden -DSAFERRING_BUILD -Iinclude/uapi \
	      $(if $(filter no,$(SDT)),-DSAFERRING_NO_SDT)

library: $(LIB_SHARED) $(LIB_STATIC)

$(BUILD)/lib/%.o: lib/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SR_CFLAGS) $(LIB_CFLAGS) $(DEPFLAGS) -c -o $@ $<

-include $(LIB_OBJECTS:.o=.d)

$(LIB_SHARED): $(LIB_OBJECTS) $(LIB_MAP)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(LIB_SONAME) \
		-Wl,--version-script=$(LIB_MAP) -Wl,--no-undefined -o $@ \
		$(LIB_OBJECTS) $(LIB_LIBS)
	$(Q)ln -sf $(LIB_SONAME) $(LIB_DIR)/$(LIB_NAME).so

$(LIB_STATIC): $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJECTS)

# --- installing

# Each function has a link to the page that it is on.
.PHONY: install-library
install-library: library	## install library, headers and manual pages
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(INCLUDEDIR)/saferring \
		$(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7
	install -m 755 $(LIB_SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/$(LIB_NAME).so
	install -m 644 $(LIB_STATIC) $(DESTDIR)$(LIBDIR)
	sed -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(LIB_VERSION)|' lib/saferring-user.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/saferring-user.pc
	install -m 644 include/saferring.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 include/saferring/*.h $(DESTDIR)$(INCLUDEDIR)/saferring
	install -m 644 $(filter %.7,$(LIB_MANUALS)) $(DESTDIR)$(MANDIR)/man7
	install -m 644 $(filter %.3,$(LIB_MANUALS)) $(DESTDIR)$(MANDIR)/man3
	cd $(DESTDIR)$(MANDIR)/man3 && for page in \
			$(notdir $(filter %.3,$(LIB_MANUALS))); do \
		sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_]*\).*/\1/p' $$page | \
		while read -r name; do \
			[ $$name.3 = $$page ] || ln -sf $$page $$name.3; \
		done; \
	done
