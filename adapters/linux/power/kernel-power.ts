// SPDX-License-Identifier: Apache-2.0
import type { ShutdownMode } from '../../../core/ports/power.ts';
import { nativeAddon, type NativeAddon } from '../native.ts';

/** Ends the machine by the kernel alone: no service is told. */
export interface KernelPower {
  /** @throws os error of reboot(2) */
  reboot(mode: ShutdownMode): Promise<void>;
}

/** Calls of native/linux/power.cc. */
export interface PowerAddon {
  sync(): Promise<void>;
  reboot(command: number): void;
}

/** Of <linux/reboot.h>. */
const commands: Readonly<Record<ShutdownMode, number>> = { powerdown: 0x4321fedc, halt: 0xcdef0123, reboot: 0x01234567 };

/** How long disks have for what is not written yet, in milliseconds. One that does not answer must not keep the machine on. */
export const SYNC_LIMIT = 10_000;

export const kernelPower = (addon = (): PowerAddon => nativeAddon() as NativeAddon & PowerAddon): KernelPower => ({
  async reboot(mode) {
    const calls = addon();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((settle) => (timer = setTimeout(settle, SYNC_LIMIT)));
    await Promise.race([calls.sync(), limit]);
    clearTimeout(timer);
    calls.reboot(commands[mode]);
  },
});
