#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian 12's kernel 6.1.192-3 (2026-11-30): the flavour that is made for clouds is the one that cannot hear that its machine is a copy of
# another. The driver of vmgenid is built into the ordinary kernel of the same version and left out of the one for clouds, so that
# there a restore from a snapshot stirs no randomness and leaves no line in the log. One that looks for the device finds it with
# either: it is in the tables of the firmware. What such a guest has left are clocks of its hypervisor, which both know.
#
# Seen (the configuration below /boot in each package):
#   linux-image-6.1.0-57-amd64, VMGENID:                 CONFIG_VMGENID=y
#   linux-image-6.1.0-57-cloud-amd64, VMGENID:           no such line
#   linux-image-6.1.0-57-amd64, clock of KVM:            CONFIG_PTP_1588_CLOCK_KVM=m
#   linux-image-6.1.0-57-cloud-amd64, clock of KVM:      CONFIG_PTP_1588_CLOCK_KVM=m
source "$(dirname "$0")/lib.sh"
cd "$work"
for flavour in amd64 cloud-amd64; do
  name=linux-image-6.1.0-57-$flavour
  apt-get download -qq -o APT::Sandbox::User=root "$name=6.1.192-3" || { echo "$name cannot be had"; exit 2; }
  mkdir "$flavour"
  dpkg --fsys-tarfile "$name"_*.deb | tar -x -C "$flavour" --wildcards './boot/config-*'
done
line() { grep -h "^CONFIG_$2=" "$1"/boot/config-* || echo 'no such line'; }
expect 'linux-image-6.1.0-57-amd64, VMGENID' "$(line amd64 VMGENID)" 'CONFIG_VMGENID=y'
expect 'linux-image-6.1.0-57-cloud-amd64, VMGENID' "$(line cloud-amd64 VMGENID)" 'no such line'
expect 'linux-image-6.1.0-57-amd64, clock of KVM' "$(line amd64 PTP_1588_CLOCK_KVM)" 'CONFIG_PTP_1588_CLOCK_KVM=m'
expect 'linux-image-6.1.0-57-cloud-amd64, clock of KVM' "$(line cloud-amd64 PTP_1588_CLOCK_KVM)" 'CONFIG_PTP_1588_CLOCK_KVM=m'
