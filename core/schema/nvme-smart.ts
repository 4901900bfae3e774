// SPDX-License-Identifier: Apache-2.0
import { enumOf, int, required, struct, uint64 } from './types.ts';

const low = (what: string) => required(uint64, `${what}: the lower 64 bits.`);
const high = (what: string) => required(uint64, `${what}: the upper 64 bits.`);

/** Log page 0x02 of NVMe; the schema's union has this one branch, printed into the same object as `type`. */
export const guestNvmeSmart = struct(
  'GuestDiskSmart',
  {
    type: required(enumOf('GuestDiskBusType', ['nvme']), 'Which members follow.'),
    'critical-warning': required(int, 'Bits of warnings.'),
    temperature: required(int, 'Temperature in kelvin.'),
    'available-spare': required(int, 'Spare capacity left, in percent.'),
    'available-spare-threshold': required(int, 'Below this many percent of spare capacity the disk warns.'),
    'percentage-used': required(int, 'Share of its life that is used, in percent; may exceed 100.'),
    'data-units-read-lo': low('Units of 512 000 bytes read'),
    'data-units-read-hi': high('Units of 512 000 bytes read'),
    'data-units-written-lo': low('Units of 512 000 bytes written'),
    'data-units-written-hi': high('Units of 512 000 bytes written'),
    'host-read-commands-lo': low('Read commands'),
    'host-read-commands-hi': high('Read commands'),
    'host-write-commands-lo': low('Write commands'),
    'host-write-commands-hi': high('Write commands'),
    'controller-busy-time-lo': low('Minutes in which the controller was busy'),
    'controller-busy-time-hi': high('Minutes in which the controller was busy'),
    'power-cycles-lo': low('Times powered on'),
    'power-cycles-hi': high('Times powered on'),
    'power-on-hours-lo': low('Hours powered on'),
    'power-on-hours-hi': high('Hours powered on'),
    'unsafe-shutdowns-lo': low('Times that power was lost without notice'),
    'unsafe-shutdowns-hi': high('Times that power was lost without notice'),
    'media-errors-lo': low('Data that could not be read back'),
    'media-errors-hi': high('Data that could not be read back'),
    'number-of-error-log-entries-lo': low('Entries in the error log over its life'),
    'number-of-error-log-entries-hi': high('Entries in the error log over its life'),
  },
  [
    'available-spare', 'host-write-commands-hi', 'temperature', 'power-on-hours-lo', 'host-read-commands-hi',
    'host-read-commands-lo', 'number-of-error-log-entries-hi', 'unsafe-shutdowns-hi', 'unsafe-shutdowns-lo',
    'host-write-commands-lo', 'available-spare-threshold', 'power-on-hours-hi', 'controller-busy-time-hi',
    'controller-busy-time-lo', 'data-units-read-hi', 'data-units-read-lo', 'power-cycles-hi', 'power-cycles-lo',
    'media-errors-hi', 'media-errors-lo', 'data-units-written-hi', 'data-units-written-lo', 'type', 'critical-warning',
    'percentage-used', 'number-of-error-log-entries-lo',
  ],
);
