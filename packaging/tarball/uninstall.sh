#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Takes away what install.sh has put there, and gives the port back: uninstall.sh [--prefix=DIR] [--purge]
# The configuration and the hooks in /etc/concierge-ga stay, but for --purge.
set -eu

prefix=/usr/local
purge=no
for word in "$@"; do
	case $word in
		--prefix=/*) prefix=${word#--prefix=} ;;
		--purge) purge=yes ;;
		*)
			echo "usage: uninstall.sh [--prefix=/ABSOLUTE/PATH] [--purge]" >&2
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
# In braces: the shell has read all of it before it begins, and this file goes away.
{
	if [ "$(id -u)" -ne 0 ]; then
		echo "uninstall.sh: it must be run as root" >&2
		exit 1
	fi
	made=$(cat "$lib/made-directories" 2>/dev/null || :)
	gave_way=$(cat "$lib/gave-way" 2>/dev/null || :)
	if command -v rc-update >/dev/null 2>&1; then
		if [ -e /run/openrc/softlevel ]; then rc-service --ifstarted concierge-ga stop || :; fi
		rc-update --quiet delete concierge-ga default || :
		if [ "$gave_way" = openrc ]; then rc-update --quiet add qemu-guest-agent default || :; fi
	fi
	stop_serving
	release_name
	rm -f "$units/concierge-ga.service" "$units/concierge-ga-channel.service" /etc/systemd/system/multi-user.target.wants/concierge-ga-channel.service \
		/etc/udev/rules.d/60-concierge-ga.rules /etc/init.d/concierge-ga "$prefix/share/man/man8/concierge-ga.8"
	for name in concierge-ga qemu-ga; do rm -f "$prefix/sbin/$name" "$prefix/share/bash-completion/completions/$name"; done
	rm -rf "$lib" "$share"
	# Deepest first. What something else has been put in stays.
	for directory in $made; do rmdir "$directory" 2>/dev/null || :; done
	forget_state
	if [ "$purge" = yes ]; then rm -rf "$etc"; fi
	give_back
	if [ "$gave_way" = openrc ] && [ -e /run/openrc/softlevel ]; then rc-service qemu-guest-agent start || :; fi
	exit 0
}
