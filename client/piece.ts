// SPDX-License-Identifier: Apache-2.0
/**
 * Bytes per request. Base64 of 1.5 MiB is 2 MiB: below the 10 MiB after which libvirt gives an answer up, and large enough
 * that the round trip does not matter.
 */
export const DEFAULT_PIECE = 1.5 * 1024 * 1024;
