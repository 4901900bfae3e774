// SPDX-License-Identifier: Apache-2.0
/** What a self-relative SECURITY_DESCRIPTOR of winnt.h says of owner and access. */
export interface Access {
  /** As a text, `S-1-5-18`. */
  readonly owner: string | undefined;
  /** `undefined`: there is no list, and everybody may do everything. */
  readonly entries: readonly AccessEntry[] | undefined;
}

export interface AccessEntry {
  /** Whether it gives rights; one that takes some away gives none. */
  readonly allows: boolean;
  /** For what will be made in the folder, and not for the folder. */
  readonly inheritOnly: boolean;
  readonly mask: number;
  readonly who: string;
}

const SE_DACL_PRESENT = 4;
const ACCESS_ALLOWED_ACE_TYPE = 0;
const ACCESS_DENIED_ACE_TYPE = 1;
const INHERIT_ONLY_ACE = 8;

/** @throws RangeError where it is cut off */
export function accessOf(descriptor: Buffer): Access {
  const owner = descriptor.readUInt32LE(4);
  const list = (descriptor.readUInt16LE(2) & SE_DACL_PRESENT) === 0 ? 0 : descriptor.readUInt32LE(16);
  return { owner: owner === 0 ? undefined : sidText(descriptor, owner), entries: list === 0 ? undefined : entriesOf(descriptor, list) };
}

function entriesOf(descriptor: Buffer, list: number): readonly AccessEntry[] {
  const entries: AccessEntry[] = [];
  let at = list + 8;
  for (let left = descriptor.readUInt16LE(list + 4); left > 0; left -= 1) {
    const type = descriptor.readUInt8(at);
    // Entries of other kinds, with conditions or for single properties, are read as if they gave what they name to whom they name.
    if (type !== ACCESS_DENIED_ACE_TYPE) {
      entries.push({
        allows: true,
        inheritOnly: (descriptor.readUInt8(at + 1) & INHERIT_ONLY_ACE) !== 0,
        mask: descriptor.readUInt32LE(at + 4),
        who: type === ACCESS_ALLOWED_ACE_TYPE ? sidText(descriptor, at + 8) : `somebody (an entry of type ${type})`,
      });
    }
    at += descriptor.readUInt16LE(at + 2);
  }
  return entries;
}

/** `S-1-5-32-544` of the SID that begins at `at`. */
export function sidText(bytes: Buffer, at: number): string {
  const authority = bytes.readUIntBE(at + 2, 6);
  const parts = Array.from({ length: bytes.readUInt8(at + 1) }, (_, index) => bytes.readUInt32LE(at + 8 + 4 * index));
  return ['S', bytes.readUInt8(at), authority, ...parts].join('-');
}
