#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the agent from this directory, or a newer one over it: install.sh [--prefix=DIR]   (default /usr/local)
# Needs root, Linux with the GNU C library, and systemd or OpenRC to be started at boot. uninstall.sh takes it away again.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local
for word in "$@"; do
	case $word in
		--prefix=/*) prefix=${word#--prefix=} ;;
		*)
			echo "usage: install.sh [--prefix=/ABSOLUTE/PATH]" >&2
			exit 1
			;;
	esac
done

lib=$prefix/lib/concierge-ga
share=$prefix/share/concierge-ga
agent=$lib/bin/concierge-ga
# Before the distribution's own in the search path of systemd, and no configuration as /etc is.
units=/usr/local/lib/systemd/system
etc=/etc/concierge-ga
@include shell/service.sh
# Makes a directory and those above it, and notes which were not there: uninstall.sh removes these when they are empty.
made=
make_directory() {
	if [ -d "$1" ]; then return 0; fi
	make_directory "${1%/*}"
	mkdir "$1"
	made="$1 $made"
}

fill() {
	sed -e "s|@LIBDIR@|$lib|g" -e "s|@SHAREDIR@|$share|g" "$1" >"$2"
	chmod "$3" "$2"
}

check() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "install.sh: it must be run as root" >&2
		exit 1
	fi
	if ! "$here/lib/bin/concierge-ga" --version >/dev/null; then
		echo "install.sh: the agent does not run here: it is for @MACHINE@, with the GNU C library @GLIBC@ or later" >&2
		exit 1
	fi
	if [ -e /usr/lib/concierge-ga/bin/concierge-ga ] && [ "$lib" != /usr/lib/concierge-ga ]; then
		echo "install.sh: the package concierge-ga is installed; remove it first" >&2
		exit 1
	fi
}

# Beside the old one, then in its place: the running agent reads parts of itself late.
copy_program() {
	for directory in lib sbin share share/man/man8 share/bash-completion/completions; do make_directory "$prefix/$directory"; done
	rm -rf "$lib.new"
	cp -R "$here/lib" "$lib.new"
	cp "$here/uninstall.sh" "$lib.new/uninstall.sh"
	for note in gave-way made-directories; do
		if [ -e "$lib/$note" ]; then cp "$lib/$note" "$lib.new/$note"; fi
	done
	chown -R 0:0 "$lib.new"
	rm -rf "$lib.old"
	if [ -d "$lib" ]; then mv "$lib" "$lib.old"; fi
	mv "$lib.new" "$lib"
	rm -rf "$lib.old"
	for name in concierge-ga qemu-ga; do
		ln -sf ../lib/concierge-ga/bin/concierge-ga "$prefix/sbin/$name"
		ln -sf "$share/completion" "$prefix/share/bash-completion/completions/$name"
	done
	rm -rf "$share"
	cp -R "$here/share" "$share"
	for file in "$here"/share/systemd/*.conf; do fill "$file" "$share/systemd/${file##*/}" 0644; done
	chown -R 0:0 "$share"
	cp "$here/man/concierge-ga.8" "$prefix/share/man/man8/concierge-ga.8"
	mkdir -p "$etc/fsfreeze-hook.d" "$etc/generation.d"
}

# Earlier versions had their units among the administrator's.
leave_etc() {
	old=/etc/systemd/system
	if [ -e "$old/concierge-ga.service" ]; then rm -f "$old/concierge-ga.service" "$old/concierge-ga-channel.service"; fi
	if [ -L "$old/multi-user.target.wants/concierge-ga-channel.service" ]; then
		ln -sf "$units/concierge-ga-channel.service" "$old/multi-user.target.wants/concierge-ga-channel.service"
	fi
}

with_systemd() {
	make_directory "$units"
	make_directory /etc/udev/rules.d
	for name in concierge-ga concierge-ga-channel; do fill "$here/systemd/$name.service" "$units/$name.service" 0644; done
	leave_etc
	fill "$here/udev/60-concierge-ga.rules" /etc/udev/rules.d/60-concierge-ga.rules 0644
	stop_other_agent
	take_name
	serve
}

with_openrc() {
	fill "$here/openrc/concierge-ga" /etc/init.d/concierge-ga 0755
	stop_other_agent
	if rc-update show default 2>/dev/null | grep -q qemu-guest-agent; then
		rc-update --quiet delete qemu-guest-agent default
		echo openrc >"$lib/gave-way"
	fi
	rc-update --quiet add concierge-ga default
	if [ ! -e /run/openrc/softlevel ]; then return 0; fi
	# Under a keeper, which takes over from itself, a reload is enough; it fails where none runs.
	if grep -qs '^concierge_ga_keeper=' /etc/conf.d/concierge-ga && rc-service concierge-ga reload; then return 0; fi
	rc-service concierge-ga restart
}

# In braces: the shell has read all of it before it begins.
{
	check
	copy_program
	if [ ! -e "$etc/concierge-ga.conf" ]; then adopt_configuration; fi
	if command -v systemctl >/dev/null 2>&1; then
		with_systemd
	elif [ -x /sbin/openrc-run ]; then
		with_openrc
	else
		echo "install.sh: neither systemd nor OpenRC is here; start $prefix/sbin/concierge-ga by other means" >&2
	fi
	for directory in $made; do echo "$directory" >>"$lib/made-directories"; done
	echo "concierge-ga is installed in $lib; its configuration is $etc/concierge-ga.conf"
	exit 0
}
