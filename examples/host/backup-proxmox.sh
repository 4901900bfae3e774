#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Takes a ZFS snapshot of the disks of a guest of Proxmox VE while it is frozen: backup-proxmox.sh NODE/VMID DATASET...
# On the node itself; the API token is in the file that CONCIERGE_PROXMOX_TOKEN_FILE names, the certificate's fingerprint in
# CONCIERGE_PROXMOX_FINGERPRINT. Proxmox VE waits ten seconds for a thaw: do not freeze for long.
set -eu
guest=$1
shift
[ $# -gt 0 ] || { echo "usage: $0 NODE/VMID DATASET..." >&2; exit 2; }
name=backup-$(date -u +%Y%m%dT%H%M%SZ)
# One zfs command: all snapshots are of the same moment, or there are none.
snapshots=$(printf "%s@$name " "$@")
# shellcheck disable=SC2086 # names of datasets have no blanks
exec concierge-ctl --proxmox "$guest" frozen --timeout 30 -- zfs snapshot $snapshots
