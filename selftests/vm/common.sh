# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts of this directory share. To be sourced by bash.

# Debian leaves these out of the path of people who are not root.
PATH=$PATH:/usr/sbin:/sbin

# Big things that are the same for every checkout.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/safer-ring

note() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
}

# Ends the script: 125 is the harness's own failure, never a test's.
die() {
	note "$1"
	exit 125
}

# Holds a lock, until the script ends, on what goes by the name $1 in the
# cache, so that two runs do not fetch or build the same thing at once.
lock_cache() {
	mkdir -p "$CACHE/locks" ||
		die "cannot write to $CACHE: set XDG_CACHE_HOME elsewhere"
	exec {lock_fd}>"$CACHE/locks/$1"
	flock -w 2 "$lock_fd" && return
	note "waiting for another run that prepares $1"
	flock "$lock_fd"
}

# Makes a directory beside its later place $1, so that it can be renamed, and
# removes what an interrupted run has left. The caller holds the lock.
make_aside() {
	rm -rf "$1.partial"
	mkdir -p "$1.partial"
	printf '%s\n' "$1.partial"
}

# Puts the finished directory (or file) of make_aside in its place $1.
commit_aside() {
	rm -rf "$1"
	mv -T "$1.partial" "$1"
}

# The version of package $1 that apt would download; nothing if it has none.
apt_version() {
	apt-cache policy "$1" 2>/dev/null |
		sed -n 's/^  Candidate: //p' | grep -v '^(none)$' || true
}

# Downloads packages $2... into directory $1. No root is needed for that, and
# apt's sandbox user could not write there.
apt_download() {
	local dir=$1

	shift
	(cd "$dir" && apt-get -q -o APT::Sandbox::User="$(id -un)" \
		download "$@" >&2)
}

# A word for the few errno values that loading and unloading a module gives.
errno_text() {
	case $1 in
	1) echo "not permitted" ;;
	2) echo "no such file or symbol" ;;
	8) echo "not a module for this kernel" ;;
	12) echo "no memory" ;;
	16 | 11) echo "still in use" ;;
	17) echo "loaded already" ;;
	22) echo "invalid argument or parameter" ;;
	*) echo "see errno(3)" ;;
	esac
}
