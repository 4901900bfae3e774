// SPDX-License-Identifier: Apache-2.0
import { layout } from '../layout.ts';

/**
 * Of the public header of virtio-win's driver (vioserial/sys/public.h). IOCTL_GET_INFORMATION is buffered in some releases of
 * the driver and direct in others, and each refuses the code of the other.
 */
export const portInformationCodes: readonly number[] = [0x0022_2000, 0x0022_2002];

/** Behind it is the name of the port, as far as there is room. */
export const VIRTIO_PORT_INFO = layout('VIRTIO_PORT_INFO', 'windows.h', 8, {
  Id: [0, 'u32'], OutVqFull: [4, 'u8'], HostConnected: [5, 'u8'], GuestConnected: [6, 'u8'],
});
