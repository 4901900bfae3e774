#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# systemd 252.39 (Debian 12): whether `systemctl enable ALIAS` works depends on the directory in which the alias's link lies.
#
# An alias of a unit is a symbolic link with the other name. Below /usr/lib/systemd/system `systemctl enable ALIAS` follows it and ends
# with status 0, also where the unit has no [Install]; `disable` leaves the link, `is-enabled` says 'alias'. The same link below
# /etc/systemd/system, which is where `Alias=` puts it when the unit is enabled, is refused as a 'linked unit file' with
# status 1 although `is-enabled` says the same of it, and `disable` removes it. So a package whose old name has to go on working in
# `systemctl enable --now OLDNAME` (cloud-init, Ansible) must ship the link among the vendor's units and not by Alias=.
#
# Seen on 2026-11-30:
#   link in usr/lib/systemd/system: enable 0, is-enabled 0 alias, disable 0, then the link is there
#   link in etc/systemd/system: enable 1, is-enabled 0 alias, disable 0, then the link is gone
#   Failed to enable unit, refusing to operate on linked unit file old.service.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
apt-get download -qq systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 >/dev/null 2>&1
for package in ./*.deb; do dpkg -x "$package" unpacked; done
libraries=$(dirname "$(find unpacked -name 'libsystemd-shared-252.so' | head -n 1)")
control() { LD_LIBRARY_PATH=$libraries unpacked/bin/systemctl --root="$place/root" "$@"; }

expected='link in usr/lib/systemd/system: enable 0, is-enabled 0 alias, disable 0, then the link is there
link in etc/systemd/system: enable 1, is-enabled 0 alias, disable 0, then the link is gone'
seen=
for directory in usr/lib/systemd/system etc/systemd/system; do
	rm -rf root
	mkdir -p root/usr/lib/systemd/system root/etc/systemd/system
	printf '[Service]\nExecStart=/bin/true\n' >root/usr/lib/systemd/system/new.service
	target=new.service
	[ "$directory" = usr/lib/systemd/system ] || target=../../../usr/lib/systemd/system/new.service
	ln -s "$target" "root/$directory/old.service"
	enable=0 disable=0 is_enabled=0
	control --quiet enable old.service 2>>errors || enable=$?
	word=$(control is-enabled old.service 2>/dev/null) || is_enabled=$?
	control --quiet disable old.service 2>>errors || disable=$?
	link=gone
	[ ! -L "root/$directory/old.service" ] || link=there
	seen+="link in $directory: enable $enable, is-enabled $is_enabled${word:+ $word}, disable $disable, then the link is $link"$'\n'
done
printf '%s' "$seen"
grep -m 1 'refusing to operate' errors
[ "${seen%$'\n'}" = "$expected" ]
