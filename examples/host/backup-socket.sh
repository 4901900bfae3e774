#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Takes an LVM snapshot of a guest of plain QEMU while it is frozen: backup-socket.sh SOCKET VG/LV
# SOCKET is that of the agent's port: -chardev socket,path=SOCKET,server=on,wait=off,id=agent.
set -eu
socket=$1 volume=$2
exec concierge-ctl --socket "$socket" frozen --timeout 60 -- \
  lvcreate --snapshot --size 5G --name "${volume#*/}-backup-$(date -u +%Y%m%dT%H%M%SZ)" "$volume"
