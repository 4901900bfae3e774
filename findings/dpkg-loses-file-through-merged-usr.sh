#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dpkg 1.21.23 (Debian 12) on a merged /usr: a package that takes another's place loses the file that both have.
#
# Package 'old' has /lib/units/agent.service, as Debian 12's packages with units do. Package 'new' has /usr/lib/units/agent.service, and
# 'Conflicts' and 'Replaces' old. /lib is a link to usr/lib, so both are one file; dpkg compares the paths as they are written and
# does not see it. It unpacks the new one, then removes old with 'its' file. In dpkg's status the new package is installed, and its
# file is missing. With the same spelling in both packages the file stays.
#
# Seen on 2026-11-30:
#   dpkg 1.21.23
#   /lib in old, /usr/lib in new: new installed, file missing
#   /usr/lib in both: new installed, file there
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
echo "dpkg $(dpkg-query -W -f '${Version}' dpkg)"

# package NAME PATH RELATIONS: one that has a link at PATH.
package() {
	rm -rf tree
	mkdir -p "tree/DEBIAN" "tree${2%/*}"
	ln -s "target-of-$1" "tree$2"
	printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a link\n%b' "$1" "$3" >tree/DEBIAN/control
	dpkg-deb --root-owner-group --build tree "$1.deb" >/dev/null
}

# replace OLDPATH: what becomes of the file of the new package.
replace() {
	rm -rf root
	mkdir -p root/usr/lib root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/dpkg/triggers root/var/log
	ln -s usr/lib root/lib
	: >root/var/lib/dpkg/status
	package old "$1" ''
	package new /usr/lib/units/agent.service 'Conflicts: old\nReplaces: old\n'
	for one in old new; do
		dpkg --root="$place/root" --force-not-root --log=/dev/null --force-confold --auto-deconfigure --install "$one.deb" >>log 2>&1
	done
	state=$(dpkg-query --admindir=root/var/lib/dpkg -W -f '${db:Status-Status}' new)
	file=missing
	[ ! -L root/usr/lib/units/agent.service ] || file=there
	echo "new $state, file $file"
}

seen="/lib in old, /usr/lib in new: $(replace /lib/units/agent.service)
/usr/lib in both: $(replace /usr/lib/units/agent.service)"
printf '%s\n' "$seen"
[ "$seen" = '/lib in old, /usr/lib in new: new installed, file missing
/usr/lib in both: new installed, file there' ]
