#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Says whether KVM can run the virtual machine: exit status 0 if so. That
# /dev/kvm can be opened is not enough, as a KVM inside another virtual machine
# may lack what a kernel needs; so kernel RELEASE is booted, up to the panic
# that it must end in without an init. The answer is kept until this machine
# reboots.
#
# usage: kvm.sh RELEASE
set -euo pipefail

# shellcheck source=selftests/vm/common.sh
. "$(dirname "$0")/common.sh"

boots() {
	local console

	console=$(timeout 15 qemu-system-x86_64 -nodefaults -no-user-config \
		-no-reboot -display none -nic none -machine q35 -accel kvm \
		-cpu max -m 512M -kernel "$CACHE/kernels/$1/vmlinuz" \
		-append 'console=ttyS0 panic=-1' -serial stdio \
		2>/dev/null </dev/null) || return 1
	[[ $console == *'Unable to mount root fs'* ]]
}

[ $# = 1 ] || die "usage: kvm.sh RELEASE"
[ -w /dev/kvm ] || exit 1
lock_cache kvm
answer=$CACHE/kvm
key="$(cat /proc/sys/kernel/random/boot_id) $(qemu-system-x86_64 --version |
	head -n 1)"
if [ "$(sed 1q "$answer" 2>/dev/null)" != "$key" ]; then
	verdict=works
	boots "$1" || {
		verdict=fails
		note "/dev/kvm is there but cannot run a kernel; emulating"
	}
	printf '%s\n%s\n' "$key" "$verdict" >"$answer.partial"
	mv "$answer.partial" "$answer"
fi
[ "$(sed -n 2p "$answer")" = works ]
