import { layout } from '../layout.ts';

/** `channel::Section` of native/windows/vss-provider/channel.h. */
export const section = layout('channel::Section', 'channel.h', 268, {
  version: [0, 'u32'], agent: [4, 'u32'], holdLimitMs: [8, 'u32'], frozen: [12, 'wide64'], thaw: [140, 'wide64'],
});
