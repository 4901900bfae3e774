#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# apt 2.6.1 of Debian 12 (2026-11-30): `apt-get update` that has reached no archive at all, with no list of an earlier day either,
# ends with 0: it warns. A script that makes an apt of its own and marks it as ready by `apt-get update && touch ready` has one that
# knows no package, for ever. `--error-on=any` makes it 100. An archive that is reached and lacks the suite is an error by itself.
#
# Seen:
#   status of apt-get update, nobody listens:            0
#   packages that are known then:                        0
#   the same with --error-on=any:                        100
#   status where the archive lacks the suite:            100
source "$(dirname "$0")/lib.sh"
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root apt=2.6.1 libapt-pkg6.0=2.6.1) || { echo 'apt 2.6.1 is not to be had'; exit 2; }
for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done
library=$work/root/usr/lib/x86_64-linux-gnu
mkdir -p "$work"/{empty/dists,apt/etc/apt.conf.d,apt/etc/preferences.d,apt/state/lists/partial,apt/cache/archives/partial}
: >"$work/apt/status"
cat >"$work/apt/apt.conf" <<END
Dir::Etc "$work/apt/etc"; Dir::Etc::SourceParts "-"; Dir::State "$work/apt/state"; Dir::State::status "$work/apt/status"; Dir::Cache "$work/apt/cache";
Dir::Bin::methods "$work/root/usr/lib/apt/methods"; APT::Sandbox::User "root"; Acquire::Languages "none";
END
export APT_CONFIG=$work/apt/apt.conf LD_LIBRARY_PATH=$library http_proxy=''
sources() { echo "deb [trusted=yes] $1 trixie main" >"$work/apt/etc/sources.list"; }

# Nobody listens on the port `discard` of the loopback device.
sources http://127.0.0.1:9/debian
expect 'status of apt-get update, nobody listens' "$(status "$work/root/usr/bin/apt-get" update)" 0
expect 'packages that are known then' "$("$work/root/usr/bin/apt-cache" pkgnames | wc -l)" 0
expect 'the same with --error-on=any' "$(status "$work/root/usr/bin/apt-get" update --error-on=any)" 100
sources "file:$work/empty"
expect 'status where the archive lacks the suite' "$(status "$work/root/usr/bin/apt-get" update)" 100
