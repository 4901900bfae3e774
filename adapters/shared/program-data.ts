// SPDX-License-Identifier: Apache-2.0
/** Where Windows keeps what belongs to programs and to no user: what the system says, and else what it says nearly everywhere. */
export const programData = (): string => process.env['ProgramData'] ?? `${process.env['SystemDrive'] ?? 'C:'}\\ProgramData`;
