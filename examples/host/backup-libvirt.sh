#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copies the disk vda of a libvirt domain as it was at one moment, consistently: backup-libvirt.sh DOMAIN TARGET [URI]
# The guest stands still only while the overlay is made; the copy is of the disk below it, which nobody writes to then.
# Exit status: 0, or why no consistent copy was made: that of concierge-ctl frozen (122 to 127), or of what failed.
set -eu
domain=$1 target=$2 uri=${3:-qemu:///system}

disk=$(virsh -c "$uri" domblklist "$domain" | awk '$1 == "vda" { print $2 }')
overlay=$disk.backup-overlay
concierge-ctl --libvirt "$domain" --connect "$uri" frozen --timeout 60 -- \
  virsh -c "$uri" snapshot-create-as "$domain" backup --disk-only --atomic --no-metadata --diskspec "vda,snapshot=external,file=$overlay"
status=0
qemu-img convert -O qcow2 "$disk" "$target.part" && mv "$target.part" "$target" || status=$?
# Whatever became of the copy, the guest goes back to its own disk.
virsh -c "$uri" blockcommit "$domain" vda --active --pivot
rm -f "$overlay"
exit "$status"
