#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian 13's kernel 6.12.117 and QEMU 10.0.13 (2026-11-30): whether a guest can be given another processor depends on whether its kernel knows
# the name of the hypervisor. QEMU lists each processor that may come, as not enabled, in the same table of the firmware (MADT); on what
# the kernel takes for real hardware it passes over those, for nothing more would come there. Emulated by TCG, QEMU is no hypervisor that
# it knows: it counts no processor to add, and will refuse one that is (`ACPI: Unable to map lapic to logical cpu number`). With firmware
# that says that the very same machine is VMware's, it counts one. Kernel 6.1 counts it either way. One that tests the adding of processors
# without KVM tests nothing, and `maxcpus=3` is obeyed by QEMU all the same.
#
# Seen (-smp 2,maxcpus=3 each):
#   as TCG, the hypervisor:                              none is known
#   as TCG, processors:                                  Allowing 2 present CPUs plus 0 hotplug CPUs
#   as VMware, the hypervisor:                           Hypervisor detected: VMware
#   as VMware, processors:                               Allowing 2 present CPUs plus 1 hotplug CPUs
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie qemu-system-x86=1:10.0.13+ds-0+deb13u1 linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
root=$work/root

# boot NAME WORDS...: until the kernel finds no root file system, which ends the machine.
boot() {
  local name=$1
  shift
  (in_root "$root" usr/bin/qemu-system-x86_64 -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -nodefaults -no-user-config -display none -no-reboot \
    -machine pc -accel tcg -m 512 -smp 2,maxcpus=3,sockets=3,cores=1,threads=1 "$@" \
    -kernel "$root"/boot/vmlinuz-6.12.117+deb13-cloud-amd64 -append 'console=ttyS0 panic=-1 tsc=reliable no_timer_check mitigations=off' \
    -serial stdio) </dev/null 2>"$work/errors" | tr -d '\r' >"$work/$name" || true
}
said() { sed -n "s/^\[[^]]*\] \(CPU topo: \)\?\($2.*\)/\2/p" "$work/$1" | grep . || echo 'none is known'; }

boot TCG -cpu max
boot VMware -cpu max,-hypervisor -smbios type=1,serial=VMware-1
expect 'as TCG, the hypervisor' "$(said TCG 'Hypervisor detected')" 'none is known'
expect 'as TCG, processors' "$(said TCG Allowing)" 'Allowing 2 present CPUs plus 0 hotplug CPUs'
expect 'as VMware, the hypervisor' "$(said VMware 'Hypervisor detected')" 'Hypervisor detected: VMware'
expect 'as VMware, processors' "$(said VMware Allowing)" 'Allowing 2 present CPUs plus 1 hotplug CPUs'
