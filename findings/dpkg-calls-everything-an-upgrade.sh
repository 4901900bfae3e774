#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dpkg 1.21.23 (the machine's own; 2026-11-30): a downgrade and a second installation of the same version run the maintainer scripts as
# an upgrade, with `upgrade` as their first word: prerm can't tell from it that something newer comes. And where the new preinst
# fails, dpkg runs the postrm of that new package, which was never installed, with abort-upgrade.
#
# Seen (version 1 installed, then 2, 1, 1 again, and 3 whose preinst fails):
#   prerm of 2, downgraded to 1:                         upgrade 1
#   prerm of 1, installed once more:                     upgrade 1
#   preinst of 1, installed once more:                   upgrade 1 1
#   postrm of 3, which never got in:                     abort-upgrade 1 3
source "$(dirname "$0")/lib.sh"
log=$work/log
package() {
  mkdir -p "$work/tree/DEBIAN"
  printf 'Package: surprise\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: nothing\n' "$1" >"$work/tree/DEBIAN/control"
  for script in preinst postinst prerm postrm; do
    printf '#!/bin/sh\necho "%s of %s: $*" >>%s\nexit %s\n' "$script" "$1" "$log" "$([ "$script" = "${2:-}" ] && echo 1 || echo 0)" >"$work/tree/DEBIAN/$script"
    chmod 755 "$work/tree/DEBIAN/$script"
  done
  dpkg-deb --root-owner-group --build "$work/tree" "$work/$1.deb" >/dev/null
}
install() { dpkg --root="$work/root" --force-script-chrootless --force-not-root --log=/dev/null --install "$work/$1.deb" >/dev/null 2>&1; }
mkdir -p "$work/root/var/lib/dpkg/info" "$work/root/var/lib/dpkg/updates"
touch "$work/root/var/lib/dpkg/status"
package 1
package 2
package 3 preinst
for version in 1 2 1; do install "$version"; done
said() { sed -n "s/^$1 of $2: //p" "$log" | tail -n 1; }

expect 'prerm of 2, downgraded to 1' "$(said prerm 2)" 'upgrade 1'
install 1
expect 'prerm of 1, installed once more' "$(said prerm 1)" 'upgrade 1'
expect 'preinst of 1, installed once more' "$(said preinst 1)" 'upgrade 1 1'
install 3 || true
expect 'postrm of 3, which never got in' "$(said postrm 3)" 'abort-upgrade 1 3'
