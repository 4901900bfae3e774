// SPDX-License-Identifier: Apache-2.0
import { guidBytes } from '../guid.ts';

/** The provider of this project, as channel.h has it; qemu-ga's has other names and numbers and may be there too. */
export const providerName = 'Concierge VSS Provider';
export const providerId = guidBytes('{22FA54FC-970E-48DD-9AA4-89D989A396EA}');
/** Of its class, by which VSS makes it. */
export const classId = guidBytes('{63AD1F54-1700-4F3B-B9E3-2C47A3BF43BC}');

/** `VssOption` of this key says which kind of backup the writers are told of, with qemu-ga's numbers. */
export const optionsKey = `SYSTEM\\CurrentControlSet\\Services\\${providerName}`;

/** VSS_BACKUP_TYPE of vss.h. */
export const backupTypes = { full: 1, incremental: 2, differential: 3, log: 4, copy: 5 } as const;
