// SPDX-License-Identifier: Apache-2.0
import { layout } from '../layout.ts';

/** `channel::Section` of native/windows/vss-provider/channel.h. */
export const section = layout('channel::Section', 'channel.h', 8476, {
  version: [0, 'u32'], agent: [4, 'u32'], holdLimitMs: [8, 'u32'], set: [12, 'bytes16'], frozen: [28, 'wide64'], thaw: [156, 'wide64'],
  volumes: [284, 'wide4096'],
});
