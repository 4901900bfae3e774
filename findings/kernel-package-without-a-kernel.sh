#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian's linux-image-7.3.4+deb13-cloud-amd64 7.3.4-1~bpo13+1 (2026-11-30): the package of a kernel has neither kernel nor modules in it,
# nothing but documentation. `dpkg -x` of it, enough up to 6.12, leaves an empty tree. The kernel is in linux-binary-VERSION,
# and not in /boot, where only a hook puts it, but beside the modules in /usr/lib/modules; those are in linux-modules-VERSION, and their
# lists (modules.builtin) in a third package, linux-base-VERSION.
#
# Seen:
#   linux-image: kernels and modules in it:              0
#   linux-binary: kernel at:                             ./usr/lib/modules/7.3.4+deb13-cloud-amd64/vmlinuz
#   linux-base: modules.builtin in it:                   1
source "$(dirname "$0")/lib.sh"
kernel=7.3.4+deb13-cloud-amd64 version='7.3.4-1~bpo13+1' key=/usr/share/keyrings/debian-archive-keyring.gpg apt=$work/apt
mkdir -p "$apt"/{etc/apt.conf.d,etc/preferences.d,state/lists/partial,cache/archives/partial}
echo "deb [signed-by=$key] $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$') trixie-backports main" >"$apt/etc/sources.list"
echo "Dir::Etc \"$apt/etc\"; Dir::Etc::SourceParts \"-\"; Dir::State \"$apt/state\"; Dir::Cache \"$apt/cache\"; APT::Sandbox::User \"root\"; Acquire::Languages \"none\";" >"$apt/apt.conf"
export APT_CONFIG=$apt/apt.conf
apt-get update -qq
(cd "$work" && apt-get download -qq "linux-image-$kernel=$version" "linux-binary-$kernel=$version" "linux-base-$kernel=$version")
files() { dpkg -c "$work"/linux-"$1"-*.deb | awk '{ print $6 }'; }

expect 'linux-image: kernels and modules in it' "$(files image | grep -cE 'vmlinuz|\.ko' || true)" 0
expect 'linux-binary: kernel at' "$(files binary | grep vmlinuz)" "./usr/lib/modules/$kernel/vmlinuz"
expect 'linux-base: modules.builtin in it' "$(files base | grep -c 'modules\.builtin$')" 1
