// SPDX-License-Identifier: Apache-2.0
import type { ChannelMethod } from '../../core/ports/index.ts';

/**
 * The channels of each system, in the order in which they are told: what `--method` can name, and where one goes when nobody says.
 * The system's own table has a row for each (a method without one is a type error); settings, help and manual take the paths from here.
 */
export const channelMethods = {
  posix: [
    { name: 'unix-listen' },
    { name: 'virtio-serial', defaultPath: '/dev/virtio-ports/org.qemu.guest_agent.0' },
    { name: 'isa-serial', defaultPath: '/dev/ttyS0' },
    { name: 'vsock-listen' },
  ],
  windows: [
    { name: 'virtio-serial', defaultPath: '\\\\.\\Global\\org.qemu.guest_agent.0' },
    { name: 'isa-serial', defaultPath: 'COM1' },
    { name: 'vsock-listen' },
  ],
} as const satisfies Readonly<Record<'posix' | 'windows', readonly ChannelMethod[]>>;

export type LinuxMethod = (typeof channelMethods)['posix'][number]['name'];
export type WindowsMethod = (typeof channelMethods)['windows'][number]['name'];
