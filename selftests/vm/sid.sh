# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# apt's view of sid, where Debian's newest kernel and its compiler are, without
# a change to this machine's own apt. To be sourced by bash; wants common.sh.

# Hours after which sid's package lists are fetched again.
SID_HOURS=24

# The mirror from which this machine has Debian.
sid_mirror() {
	# shellcheck disable=SC2016 # it is apt's variable
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' 'Component: main' | head -n 1
}

sid_keyring() {
	local file

	for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		[ ! -e "$file" ] || { printf '%s\n' "$file"; return; }
	done
	note "no keys to check sid's packages with: apt-get install
debian-archive-keyring"
	return 1
}

# How this machine reaches the net is taken over, and nothing else is: neither
# its preferences nor what it does after an update.
sid_write_config() {
	local dir=$1

	apt-config dump | grep '^Acquire::'
	cat <<-EOF
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$dir";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Dir::Cache::srcpkgcache "";
		APT::Sandbox::User "$(id -un)";
		APT::Install-Recommends "false";
	EOF
}

sid_configure() {
	local dir=$1 mirror keyring

	mirror=$(sid_mirror)
	[ -n "$mirror" ] || {
		note "apt knows no mirror of Debian, to take sid from: is this
Debian, and are apt's package lists there (apt-get update)?"
		return 1
	}
	keyring=$(sid_keyring) || return
	mkdir -p "$dir"/{lists,cache/archives}/partial
	: >"$dir/status"
	printf 'deb [signed-by=%s] %s sid main\n' "$keyring" "$mirror" \
		>"$dir/sources.list"
	sid_write_config "$dir" >"$dir/apt.conf.partial"
	mv "$dir/apt.conf.partial" "$dir/apt.conf"
}

# Whether the lists were fetched, and lately.
sid_fresh() {
	[ -n "$(find "$1/fetched" -mmin "-$((SID_HOURS * 60))" 2>/dev/null)" ]
}

sid_update() {
	local dir=$1

	note "fetching sid's package lists"
	if apt-get -qq -o APT::Update::Error-Mode=any update >&2; then
		touch "$dir/fetched"
	elif [ -e "$dir/fetched" ]; then
		note "sid is out of reach (see above); going on with its lists
of $(date -r "$(find "$dir/lists" -name '*Release' | head -n 1)" +%F)"
		# Not at every call: it may take a minute to find out.
		touch -d "$((SID_HOURS - 1)) hours ago" "$dir/fetched"
	else
		note "sid's package lists could not be fetched (see above)"
		return 1
	fi
}

# Makes apt speak of sid, from now on and until the script ends. Goes on with
# lists that could not be renewed; fails, with the reason told, if there are
# none.
use_sid() {
	local dir=$CACHE/apt/sid

	lock_cache sid
	if ! sid_fresh "$dir"; then
		sid_configure "$dir" || return
	fi
	export APT_CONFIG=$dir/apt.conf
	sid_fresh "$dir" || sid_update "$dir" || return
	# shellcheck disable=SC2154 # lock_cache has set it
	flock -u "$lock_fd"
}
