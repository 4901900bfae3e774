// SPDX-License-Identifier: Apache-2.0
import type { DiskBusType } from '../../../core/ports/index.ts';

/**
 * How the place of a disk on its controller becomes bus, target and unit:
 * `none`: all 0; `scsi`: channel, target, LUN; `target-as-unit`: controllers without LUNs on the wire;
 * `ide`: bus is the number of the port on its controller, unit is 0 or 1 on the cable; `port`: unit is the number of the port.
 */
export type DiskNumbering = 'none' | 'scsi' | 'target-as-unit' | 'ide' | 'port';

export interface PciDriver {
  readonly busType: DiskBusType;
  readonly numbering: DiskNumbering;
}

const rows = (busType: DiskBusType, numbering: DiskNumbering, ...drivers: string[]): [string, PciDriver][] =>
  drivers.map((driver) => [driver, { busType, numbering }]);

/**
 * Drivers of PCI controllers with disks. The first of each kind are those that qemu-ga 11.1 knows; the others are in
 * the same position and only differ in name, or are controllers whose bus is beyond doubt.
 * `virtio-pci` is not here: the same driver has disks and SCSI controllers.
 */
const drivers: ReadonlyMap<string, PciDriver> = new Map([
  ...rows('ide', 'ide', 'ata_piix', 'ata_generic'),
  ...rows('scsi', 'target-as-unit', 'sym53c8xx', 'am53c974'),
  ...rows('sata', 'port', 'ahci'),
  ...rows('nvme', 'none', 'nvme'),
  ...rows('usb', 'none', 'xhci_hcd', 'ehci-pci', 'xhci-pci-renesas', 'uhci_hcd', 'ohci-pci'),
  ...rows('scsi', 'scsi', 'mptspi', 'vmw_pvscsi', 'BusLogic', 'aic7xxx', 'aic79xx'),
  ...rows('sas', 'scsi', 'mptsas', 'mpt2sas', 'mpt3sas', 'aic94xx', 'isci', 'hisi_sas_v3_hw'),
  ...rows('fibre', 'scsi', 'mptfc', 'lpfc', 'qla2xxx', 'fnic', 'bfa'),
  ...rows('raid', 'scsi', 'megaraid_sas', 'megaraid', 'aacraid', 'hpsa', 'smartpqi', 'arcmsr', 'ips', '3w-9xxx', '3w-sas'),
  ...rows('ieee1394', 'none', 'firewire_ohci'),
]);

/** libata's families: `pata_acpi`, `sata_sil24`. */
export const pciDriver = (name: string): PciDriver | undefined =>
  drivers.get(name)
  ?? (name.startsWith('pata_') ? { busType: 'ide', numbering: 'ide' } : undefined)
  ?? (name.startsWith('sata_') ? { busType: 'sata', numbering: 'port' } : undefined);
