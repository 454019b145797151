#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the disk of the virtual machine: an ext4 file system with real files,
# those of a kernel in the cache, and room for three times as much.
#
# usage: disk.sh RELEASE
#
# Prints the path of the image. It is made once and never written to: the
# machine's writes go elsewhere. Of one release it always holds the same files
# with the same contents.
#
#   boot/		vmlinuz, config
#   modules/		file system modules of it, files of all sizes
#   headers.tar		one large file
#   sizes/N		N bytes, around the borders of sectors, pages, folios
set -euo pipefail

# shellcheck source=selftests/vm/common.sh
. "$(dirname "$0")/common.sh"

# To be raised when what is on the disk changes.
form=1
image_mib=512
sizes=(0 1 511 512 513 4095 4096 4097 65535 65536 65537 1048575 1048576
	1048577 2097151 2097152 2097153)

# Time stamps of a past that is the same for all.
epoch='@1700000000'

[ $# = 1 ] || die "usage: disk.sh RELEASE"
release=$1
kernel=$CACHE/kernels/$release
image=$CACHE/disks/$release-$form.img

fill() {
	local root=$1 size

	mkdir "$root/boot" "$root/sizes"
	cp "$kernel/boot/vmlinuz-$release" "$root/boot/vmlinuz"
	cp "$kernel/boot/config-$release" "$root/boot/config"
	cp -r "$kernel/lib/modules/$release/kernel/fs" "$root/modules"
	(cd "$kernel"/usr/src/linux-headers-*-common &&
		tar --sort=name --mtime="$epoch" --owner=0 --group=0 \
			--numeric-owner -cf "$root/headers.tar" include)
	for size in "${sizes[@]}"; do
		head -c "$size" "$kernel/vmlinuz" >"$root/sizes/$size"
	done
	find "$root" -exec touch -h -d "$epoch" {} +
}

make_image() {
	local aside

	aside=$(make_aside "$image")
	mkdir "$aside/root"
	fill "$aside/root"
	note "making the disk image ($(du -sh "$aside/root" | cut -f1) of files)"
	truncate -s "${image_mib}M" "$aside/disk"
	# Without a fixed time, identifiers and owner each image would differ.
	E2FSPROGS_FAKE_TIME=${epoch#@} mke2fs -q -F -t ext4 -L safer-ring \
		-U 5afe5afe-0000-4000-8000-000000000001 \
		-E hash_seed=5afe5afe-0000-4000-8000-000000000002,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0 \
		-d "$aside/root" "$aside/disk" ||
		die "mke2fs failed (see above)"
	mv "$aside/disk" "$image"
	rm -rf "$aside"
}

[ -e "$kernel/vmlinuz" ] || die "no kernel $release in $CACHE/kernels"
lock_cache disks
[ -s "$image" ] || make_image
printf '%s\n' "$image"
