// SPDX-License-Identifier: Apache-2.0
/** Not that of qemu-ga (QEMU-GA): both can be installed, though only one can have the port. */
export const serviceName = 'concierge-ga';
export const serviceDisplayName = 'Concierge Guest Agent';
export const serviceDescription = 'Lets the host of this virtual machine ask it questions and give it orders, over the QEMU Guest Agent protocol.';

/** Of the event log's entries. */
export const eventSource = 'concierge-ga';
export const eventSourceKey = `SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\${eventSource}`;

/** A text of the system's own for every entry: `%1`. It has one for the numbers 1 to 1000. */
export const eventMessageFile = '%SystemRoot%\\System32\\EventCreate.exe';
