# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Composes the initramfs of the virtual machine: busybox, the shell and the few
# programs that kselftest's runner needs, what the project has built, and the
# shared libraries of it all, each at the path it has on this machine. To be
# sourced by run, whose variables it uses; wants common.sh.
#
# shellcheck disable=SC2154

# Where the project's tree is in the guest: the same relative paths work there
# and here.
GUEST_TREE=/safer-ring

# Real ones, as busybox's own lack options that kselftest's runner uses.
needed_programs=(bash timeout stdbuf)
# Good to have in an interactive shell, where this machine has them.
welcome_programs=(numactl numastat strace)

is_elf() {
	[ "$(head -c 4 "$1" 2>/dev/null | tr -d '\0')" = $'\x7fELF' ]
}

# Copies file $1 to $2 in the tree $root, with directories. A file in /lib goes
# to /usr/lib, as the former is a link in the guest.
put() {
	mkdir -p "$root$(dirname "$2")"
	cp -L --preserve=mode,timestamps "$1" "$root$2"
}

make_skeleton() {
	local dir applet

	mkdir -p "$root"/{dev,proc,sys,tmp,run,root,data,etc,vm} \
		"$root"/usr/{bin,sbin,lib,lib64}
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$root/$dir"
	done
	# Standard streams of the first process, before it mounts devtmpfs: the
	# kernel opens /dev/console itself if it can find it.
	cat >"$root/etc/passwd" <<-EOF
		root:x:0:0:root:/root:/bin/sh
		user:x:1000:1000:user:/tmp:/bin/sh
		nobody:x:65534:65534:nobody:/:/bin/sh
	EOF
	cat >"$root/etc/group" <<-EOF
		root:x:0:
		user:x:1000:
		nogroup:x:65534:
	EOF
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	echo "PS1='\h:\w# '" >"$root/etc/profile"
	cp "$(command -v busybox)" "$root/usr/bin/busybox"
	while read -r applet; do
		ln -s busybox "$root/usr/bin/$applet"
	done < <("$root/usr/bin/busybox" --list | grep -vx busybox)
}

put_programs() {
	local name path

	for name in "${needed_programs[@]}" "${welcome_programs[@]}"; do
		path=$(command -v "$name" || true)
		# Scripts would need their interpreter too.
		if [ -n "$path" ] && is_elf "$path"; then
			rm -f "$root/usr/bin/$name"
			put "$path" "/usr/bin/$name"
		elif [[ " ${needed_programs[*]} " == *" $name "* ]]; then
			die "no $name on this machine, which the guest needs"
		fi
	done
	# What stdbuf preloads into the programs that it starts.
	for path in /usr/{libexec,lib}/coreutils/libstdbuf.so; do
		[ ! -e "$path" ] || put "$path" "$path"
	done
}

# Everything below build/ that can be run or linked at run time, and the
# scripts of tools/, selftests/check and bench/test.
put_project() {
	local file

	[ -d "$top/build" ] || return 0
	while read -r file; do
		if [ -L "$top/$file" ]; then
			mkdir -p "$root$GUEST_TREE/$(dirname "$file")"
			cp -P "$top/$file" "$root$GUEST_TREE/$file"
		else
			put "$top/$file" "$GUEST_TREE/$file"
		fi
	done < <(cd "$top" &&
		find build tools selftests/check bench/test -name kmod -prune -o -path build/vm -prune -o \
			-path build/check -prune -o -path build/compare -prune -o \
			-name 'rival-*' -prune -o -name '*.o' -prune -o \
			\( -name '*.so*' -o -type f -perm -u+x \) -print
		cd "$top" && find build/kselftest/install -type f \
			! -perm -u+x 2>/dev/null)
}

# Files and directories given by the user as SOURCE[:DESTINATION].
put_added() {
	local spec source destination

	for spec in "${added[@]}"; do
		source=${spec%%:*}
		destination=/$(basename "$source")
		[ "$source" = "$spec" ] || destination=${spec#*:}
		[ -e "$source" ] || die "--add: no such file: $source"
		[[ $destination = /* ]] ||
			die "--add: '$destination' is not an absolute path"
		mkdir -p "$root$(dirname "$destination")"
		cp -LrT --preserve=mode,timestamps "$source" "$root$destination"
	done
}

# The libraries of all programs and libraries in the tree. Those of the project
# are in the tree already.
put_libraries() {
	local list=$work/libraries file missing

	find "$root" -type f \( -perm -u+x -o -name '*.so*' \) -print0 |
		LD_LIBRARY_PATH=$top/build/lib xargs -0 -r ldd 2>/dev/null |
		sort -u >"$list" || true
	missing=$(sed -n 's/^[[:space:]]*\(.*\) => not found.*/\1/p' "$list")
	[ -z "$missing" ] || die "libraries that a program for the guest needs
are not on this machine: $missing"
	while read -r file; do
		case $file in
		"$top"/*) ;;
		*) put "$file" "$file" ;;
		esac
	done < <(sed -n -e 's/^[[:space:]].* => \(\/[^ ]*\) .*/\1/p' \
		-e 's/^[[:space:]]\(\/[^ ]*\) (0x.*/\1/p' "$list" | sort -u)
}

# The files of kernel module $1 and of what it needs, in loading order; nothing
# for what is built in.
module_files() {
	modprobe -d "$kernel" -S "$release" --show-depends "$1" |
		sed -n 's/^insmod \([^ ]*\).*/\1/p'
}

# Copies kernel module $1 and what it needs, unpacked, as some kernels cannot
# do that themselves. Prints the paths in the guest.
put_module() {
	local file guest

	while read -r file; do
		guest=${file#"$kernel"}
		guest=${guest%.xz}
		mkdir -p "$root$(dirname "$guest")"
		case $file in
		*.xz) xz -dc "$file" >"$root$guest" ;;
		*) cp "$file" "$root$guest" ;;
		esac
		printf '%s\n' "$guest"
	done < <(module_files "$1")
}

# The kernel's modules: those without which there is no way to the host, to be
# loaded first, and what the user asked for, for modprobe.
put_kernel_modules() {
	local name dir

	for name in virtio_pci virtio_console; do
		module_files "$name" >/dev/null 2>&1 ||
			die "kernel $release has no $name"
		put_module "$name"
	done | awk '!seen[$0]++ { print "preload " $0 }' >>"$root/vm/config"
	for name in "${kernel_modules[@]}"; do
		module_files "$name" >/dev/null ||
			die "kernel $release has no module $name"
		put_module "$name" >/dev/null
	done
	dir=lib/modules/$release
	mkdir -p "$root/$dir"
	cp "$kernel/$dir"/modules.{order,builtin,builtin.modinfo} "$root/$dir"
	depmod -b "$root" "$release"
}

# $root/vm/config and $root/vm/command are there already.
make_initramfs() {
	make_skeleton
	put_programs
	put_project
	put_added
	put_libraries
	put_kernel_modules
	cp "$init" "$root/init"
	if [ -n "$module" ]; then
		mkdir -p "$root/vm"
		cp -L "$module" "$root/vm/$(basename "$module")"
	fi
	(cd "$root" && find . -print0 | sort -z |
		cpio --quiet -0 -o -H newc -R 0:0 >"$work/initramfs") ||
		die "cannot make the initramfs"
}
