# SPDX-License-Identifier: GPL-2.0
#
# The library, shared and static.

LIB_NAME := libsaferring-user
LIB_SONAME := $(LIB_NAME).so.1
LIB_DIR := $(BUILD)/lib
LIB_SHARED := $(LIB_DIR)/$(LIB_SONAME)
LIB_STATIC := $(LIB_DIR)/$(LIB_NAME).a
LIB_MAP := lib/$(LIB_NAME).map
LIB_SOURCES := $(wildcard lib/*.c)
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
# What a program has to be linked with, besides the library.
LIB_LIBS := -luring -lnuma -lpthread

LIB_CFLAGS := -fPIC -fvisibility=hidden -DSAFERRING_BUILD -Iinclude/uapi

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
	$(Q)ar rcs $@ $(LIB_OBJECTS)

# --- installing: DESTDIR, PREFIX, LIBDIR as packagers know them

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man

.PHONY: install-library
install-library: library	## install library, headers and manual pages
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(INCLUDEDIR)/saferring \
		$(DESTDIR)$(MANDIR)/man7
	install -m 755 $(LIB_SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/$(LIB_NAME).so
	install -m 644 $(LIB_STATIC) $(DESTDIR)$(LIBDIR)
	sed -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		lib/saferring-user.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/saferring-user.pc
	install -m 644 include/saferring.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 include/saferring/*.h $(DESTDIR)$(INCLUDEDIR)/saferring
	install -m 644 lib/man/*.7 $(DESTDIR)$(MANDIR)/man7
