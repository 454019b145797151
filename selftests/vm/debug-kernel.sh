#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the debug kernel of the virtual machine from Debian's sources:
# tinyconfig and debug.config. It is kept in the cache, under a name that says
# what it was made of, and built once: some 5 to 15 minutes on two cores.
#
# usage: debug-kernel.sh
#
# Prints its release. Afterwards there is, as for Debian's own kernels,
#
#   kernels/RELEASE/vmlinuz, config	to boot
#   kernels/RELEASE/lib/modules/RELEASE	its few modules, with modules.dep
#   kernels/RELEASE/build		KDIR to build a module with
#   kernels/debug			symbolic link to it
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/vm/common.sh
. "$here/common.sh"

series=6.12
fragment=$here/debug.config
kernels=$CACHE/kernels
# To be raised when what is kept of the build, or how it is built, changes.
form=1

# --- the sources

# This is called where the shell does not stop at errors by itself.
unpack() {
	local root=$1 archive

	dpkg -x "$root"/*.deb "$root/package" || return
	archive=$(find "$root/package/usr/src" -name 'linux-source-*.tar.*')
	[ -f "$archive" ] || die "no source archive in the package"
	note "unpacking $(basename "$archive")"
	mkdir "$root/source" &&
		tar -C "$root/source" -xf "$archive" --strip-components=1 \
			--exclude='*.rst' --exclude='*.dts' \
			--exclude='*.dtsi' &&
		rm -r "$root/package" "$root"/*.deb
}

# --- the configuration

# The lines of the fragment that say something, as kconfig would write them.
options() {
	grep -E '^(CONFIG_[A-Z0-9_]+=|# CONFIG_[A-Z0-9_]+ is not set$)' \
		"$fragment"
}

# What kconfig made of option line $1: one that it does not know, or that
# depends on what is off, is simply not there.
taken() {
	local name

	grep -qxF -e "$1" .config && return
	name=$(grep -oE 'CONFIG_[A-Z0-9_]+' <<<"$1" | head -n 1)
	[[ $1 = '# '* ]] && ! grep -q "^$name=" .config
}

check_options() {
	local line bad=0

	while read -r line; do
		taken "$line" && continue
		[ "$bad" = 1 ] ||
			note "kconfig did not take these lines of debug.config"
		bad=1
		printf '  %s\n' "$line" >&2
	done < <(options)
	[ "$bad" = 0 ] ||
		die "each depends on something that is off, or is gone from
this kernel: see its 'depends on' in the sources' Kconfig"
}

configure() {
	local suffix=$1

	make -s tinyconfig >/dev/null || die "tinyconfig failed (see above)"
	{
		options
		printf 'CONFIG_LOCALVERSION="%s"\n' "$suffix"
		echo '# CONFIG_LOCALVERSION_AUTO is not set'
	} >>.config
	# It says of every option that the fragment has changed it.
	make -s olddefconfig syncconfig >build.log 2>&1 || {
		cat build.log >&2
		die "olddefconfig failed (see above)"
	}
	check_options
}

# --- the build

# Tells a person every few seconds, and a log every few minutes, how far the
# build in the background is.
show_progress() {
	local pid=$1 start=$SECONDS last=$SECONDS line

	while kill -0 "$pid" 2>/dev/null; do
		sleep 2
		line=$(printf '%d files compiled, %d min %02d s' \
			"$(grep -c '^  CC' build.log || true)" \
			$(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)))
		if [ -t 2 ]; then
			printf '\r  KERNEL  %s ' "$line" >&2
		elif [ $((SECONDS - last)) -ge 120 ]; then
			note "$line"
			last=$SECONDS
		fi
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

make_pid=
clean_up() {
	[ -z "$make_pid" ] || kill "$make_pid" 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# With the lowest claim to the CPU but one: somebody may be working here.
build() {
	local status=0

	note "building the debug kernel: some 5 to 15 minutes on two cores"
	nice -n 10 make -j"$(nproc)" bzImage modules >build.log 2>&1 &
	make_pid=$!
	show_progress "$make_pid"
	wait "$make_pid" || status=$?
	make_pid=
	[ "$status" = 0 ] || {
		grep -E -m 20 'error:|Error [0-9]' build.log >&2 || true
		die "the kernel could not be built: $PWD/build.log"
	}
}

# --- what is kept

# A module is built with the makefiles, headers, scripts and objtool alone.
install_build_tree() {
	local to=$1

	mkdir -p "$to/arch/x86" "$to/tools/objtool"
	cp Makefile .config Module.symvers System.map "$to"
	cp -r scripts include "$to"
	cp -r arch/x86/Makefile* arch/x86/include "$to/arch/x86"
	if [ -x tools/objtool/objtool ]; then
		cp tools/objtool/objtool "$to/tools/objtool"
	fi
	find "$to" \( -name '*.o' -o -name '*.cmd' -o -name '*.a' \) -delete
}

install() {
	local root=$1 release=$2 headers

	# By this name the disk's maker finds the headers of all kernels.
	headers=usr/src/linux-headers-$release-common
	mkdir -p "$root/boot"
	cp arch/x86/boot/bzImage "$root/boot/vmlinuz-$release"
	cp .config "$root/boot/config-$release"
	ln -s "boot/vmlinuz-$release" "$root/vmlinuz"
	ln -s "boot/config-$release" "$root/config"
	make -s INSTALL_MOD_PATH="$root" INSTALL_MOD_STRIP=1 \
		modules_install >>build.log 2>&1 ||
		die "modules_install failed: $PWD/build.log"
	install_build_tree "$root/$headers"
	ln -s "$headers" "$root/build"
	ln -sfn "../../../$headers" "$root/lib/modules/$release/build"
	rm -f "$root/lib/modules/$release/source"
	depmod -b "$root" "$release"
}

make_kernel() {
	local version=$1 release=$2 suffix=$3 root made

	root=$(make_aside "$kernels/$release")
	note "downloading linux-source-$series $version"
	apt_download "$root" "linux-source-$series=$version" ||
		die "apt could not download it (see above)"
	unpack "$root" || die "the package could not be unpacked (see above)"
	cd "$root/source"
	configure "$suffix"
	made=$(make -s kernelrelease)
	[ "$made" = "$release" ] ||
		die "this would be kernel $made instead of $release"
	build
	install "$root" "$release"
	cd /
	rm -rf "$root/source"
	commit_aside "$kernels/$release"
}

for tool in make gcc flex bison bc perl dpkg depmod; do
	command -v "$tool" >/dev/null ||
		die "$tool is not there: 'make deps' installs what is needed"
done
version=$(apt_version "linux-source-$series")
lock_cache debug-kernel
if [ -z "$version" ]; then
	release=$(readlink "$kernels/debug" || true)
	[ -e "$kernels/${release:-none}/vmlinuz" ] ||
		die "apt has no linux-source-$series, and the cache no debug
kernel: are apt's package lists there (apt-get update)?"
	note "apt has no linux-source-$series now; using $release of the cache"
	printf '%s\n' "$release"
	exit
fi

# The compiler too, as modules are to be built by the same one.
suffix=-debug-$({
	printf '%s\n' "$form" "$version"
	gcc --version | head -n 1
	options
} | sha256sum | head -c 10)
release=${version%%-*}$suffix
[ -e "$kernels/$release/vmlinuz" ] ||
	make_kernel "$version" "$release" "$suffix"
ln -sfn "$release" "$kernels/debug"
printf '%s\n' "$release"
