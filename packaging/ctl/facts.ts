// SPDX-License-Identifier: Apache-2.0
/** What the packages for hosts say of themselves. */
export const ctlFacts = {
  name: 'concierge-ctl',
  /** The oldest Node that runs it: that of Debian 13 and of Proxmox VE 9 is newer. */
  node: '20.11',
  summary: 'asks virtual machines through their guest agents, and gives them orders',
  /** Paragraphs. */
  description: [
    'The host\'s side of the QEMU Guest Agent protocol, for every guest with qemu-ga, Concierge or another agent in it: file systems, addresses, ' +
      'users, files, programs, and freezing around a backup that thaws in any case. Guests of libvirt and of Proxmox VE are reached in these programs\' own protocols, ' +
      'others through a socket, a hybrid vsock, or any command.',
    'It asks one guest or a thousand, waits until one is ready, and tells Prometheus of them.',
  ],
} as const;
