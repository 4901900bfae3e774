// SPDX-License-Identifier: Apache-2.0
const MEBIBYTE = 1024 * 1024;

/** The bounds of the protocol. The first three are those of qemu-ga 11.1, which its clients share. */
export const protocolLimits = {
  /** Bytes of token text in one value: white space is free, quotes count. */
  tokenBytes: 64 * MEBIBYTE,
  /** Tokens in one value; every bracket, comma and colon is one. */
  tokens: 2 * MEBIBYTE,
  /** Open braces and brackets together. */
  depth: 1024,
  /** Bytes in one file read: their base64 is exactly 64 MiB, so that a peer with the same parser can read the reply. */
  fileRead: 48 * MEBIBYTE,
  /** Weight of the unfinished requests of all hosts of a channel together: as much as one of them can weigh at most. */
  inputWeight: 160 * MEBIBYTE,
  /** What a token weighs beside its bytes: about the memory of an empty list. */
  tokenWeight: 48,
  /** Requests up to this weight are free: a host that fills the budget keeps no other from a small question. */
  freeWeight: MEBIBYTE,
  /** Characters of the text of an `id`, as it is sent back. */
  idText: MEBIBYTE,
  /** Characters of an error's `desc`, which may repeat a name that the sender chose: of a mebibyte whole. */
  desc: MEBIBYTE + 1024,
  /** Bytes of the sender's own text that an error message repeats. */
  echo: 1023,
} as const;
