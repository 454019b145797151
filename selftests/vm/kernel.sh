#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Brings one of Debian's own kernels into the cache, to be booted in the
# virtual machine and to build modules for. Nothing is installed, and no root
# is needed.
#
# usage: kernel.sh SERIES|RELEASE
#
# SERIES, such as 6.12, is the newest release of that series that apt offers;
# a RELEASE is taken as it is. Prints the release. Afterwards there is
#
#   kernels/RELEASE/vmlinuz, config	to boot
#   kernels/RELEASE/lib/modules/RELEASE	its modules, with modules.dep
#   kernels/RELEASE/build		KDIR to build a module with
#   kernels/SERIES			symbolic link to the newest RELEASE used
set -euo pipefail

# shellcheck source=selftests/vm/common.sh
. "$(dirname "$0")/common.sh"

kernels=$CACHE/kernels

# The newest release of series $1 that apt can download. A name that apt knows
# only because another package names it has no candidate.
offered() {
	local series=${1//./\\.} release

	while read -r release; do
		[ -n "$(apt_version "linux-image-$release")" ] || continue
		printf '%s\n' "$release"
		return
	done < <(apt-cache pkgnames "linux-image-$1" 2>/dev/null |
		sed -n "s/^linux-image-\($series\.[0-9+~a-z.-]*-cloud-amd64\)$/\1/p" |
		sort -rV)
}

# The packages that a module build for release $1 needs.
header_packages() {
	printf '%s\n' "linux-headers-$1"
	apt-cache depends "linux-headers-$1" |
		sed -n 's/^ *Depends: \(linux-headers-.*-common\|linux-kbuild-.*\)$/\1/p'
}

# Debian's header packages name each other by absolute paths.
make_relocatable() {
	local root=$1 release=$2 makefile

	makefile=$root/usr/src/linux-headers-$release/Makefile
	# shellcheck disable=SC2016 # these are make's variables
	sed -i 's|^include /usr/src/|include $(dir $(abspath $(lastword $(MAKEFILE_LIST))))../|' \
		"$makefile" || return
	if grep -q '[ =]/usr/src' "$makefile"; then
		die "$makefile still names /usr/src: kernel.sh must learn its form"
	fi
	ln -sfn "../../../usr/src/linux-headers-$release" \
		"$root/lib/modules/$release/build" &&
	rm -f "$root/lib/modules/$release/source" &&
	ln -sfn "usr/src/linux-headers-$release" "$root/build"
}

# This is called where the shell does not stop at errors by itself.
unpack() {
	local root=$1 release=$2 deb

	for deb in "$root"/debs/*.deb; do
		dpkg -x "$deb" "$root" || return
	done
	rm -r "$root/debs"
	# Newer suites ship modules below usr/lib.
	[ -e "$root/lib/modules" ] || {
		mkdir -p "$root/lib" &&
			ln -s ../usr/lib/modules "$root/lib/modules" || return
	}
	ln -s "boot/vmlinuz-$release" "$root/vmlinuz" &&
		ln -s "boot/config-$release" "$root/config" &&
		make_relocatable "$root" "$release" &&
		depmod -b "$root" "$release"
}

# Downloads and unpacks release $1; fails, with the reason told, if apt can
# not deliver it.
fetch() {
	local release=$1 root packages

	mapfile -t packages < <(header_packages "$release")
	[ ${#packages[@]} -ge 3 ] || {
		note "apt does not know the header packages of $release"
		return 1
	}
	root=$(make_aside "$kernels/$release")
	mkdir "$root/debs"
	note "downloading kernel $release and its headers"
	apt_download "$root/debs" "linux-image-$release" "${packages[@]}" || {
		rm -rf "$root"
		note "apt could not download $release: see above. If it was not
found, the package lists are old: apt-get update"
		return 1
	}
	unpack "$root" "$release" ||
		die "the packages of $release could not be unpacked (see above)"
	commit_aside "$kernels/$release"
}

[ $# = 1 ] || die "usage: kernel.sh SERIES|RELEASE, such as 6.12"
case $1 in
*/* | .* | *[!0-9A-Za-z.+~_-]*) die "'$1' is not a kernel series" ;;
esac
wanted=$1

# Given by its release, and there: a debug kernel of our own, for instance.
if [ -e "$kernels/$wanted/vmlinuz" ] && [ ! -L "$kernels/$wanted" ]; then
	printf '%s\n' "$wanted"
	exit
fi

lock_cache kernels
case $wanted in
*-*) release=$wanted ;;
*) release=$(offered "$wanted") ;;
esac

if [ -z "$release" ] || { [ ! -e "$kernels/$release/vmlinuz" ] &&
	! fetch "$release"; }; then
	have=$(readlink "$kernels/$wanted" || true)
	[ -e "$kernels/${have:-none}/vmlinuz" ] ||
		die "no kernel of series $wanted: apt offers none, and the cache
($kernels) has none. Is the series in this Debian's archive, and are apt's
package lists there (apt-get update)?"
	[ -n "$release" ] ||
		note "apt offers no kernel $wanted now; using $have of the cache"
	release=$have
fi

[ "$wanted" = "$release" ] || ln -sfn "$release" "$kernels/$wanted"
printf '%s\n' "$release"
