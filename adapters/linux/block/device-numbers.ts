// SPDX-License-Identifier: Apache-2.0
/** Identity of a device: `8:1`. */
export interface DeviceNumbers {
  readonly major: number;
  readonly minor: number;
}

/** Takes apart a `dev_t` as glibc packs it: 12 + 20 bits in the low half, the rest above (gnu_dev_major(3)). */
export function deviceNumbers(device: number | bigint): DeviceNumbers {
  const packed = BigInt(device);
  return {
    major: Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n)),
    minor: Number((packed & 0xffn) | ((packed >> 12n) & 0xffffff00n)),
  };
}
