// SPDX-License-Identifier: Apache-2.0
import { version, VS_FIXEDFILEINFO } from './bindings/version.ts';
import { keepAlive, type Out, type Pointer } from './koffi.ts';
import { fileLane } from './lane.ts';
import { bytesWithin, readFields, textOf } from './layout.ts';

/** More than any file says of itself. */
const mostBytes = 1024 * 1024;

/** What a program or a driver says of itself; nothing where it says nothing, or is not there. */
export interface FileVersion {
  readonly version?: string;
  /** Its maker. */
  readonly vendor?: string;
}

export async function fileVersion(path: string): Promise<FileVersion> {
  const { result: size } = await fileLane.run(() => version.GetFileVersionInfoSizeW.async(path, [0]));
  if (size === 0 || size > mostBytes) return {};
  const block = Buffer.alloc(size);
  const { result: read } = await fileLane.run(() => version.GetFileVersionInfoW.async(path, 0, size, block));
  if (read === 0) return {};
  const fixed = valueOf(block, '\\');
  const translation = valueOf(block, '\\VarFileInfo\\Translation');
  const vendor = translation === undefined || translation.length < 4 ? '' : companyName(block, translation);
  keepAlive(block);
  return {
    ...(fixed === undefined || fixed.length < VS_FIXEDFILEINFO.size ? {} : { version: versionText(fixed) }),
    ...(vendor === '' ? {} : { vendor }),
  };
}

/** In the first language that it has. */
function companyName(block: Buffer, translation: Buffer): string {
  const [language, page] = [translation.readUInt16LE(0), translation.readUInt16LE(2)].map((number) => number.toString(16).padStart(4, '0'));
  const text = valueOf(block, `\\StringFileInfo\\${language}${page}\\CompanyName`, 2);
  return text === undefined ? '' : textOf(text).trim();
}

function versionText(fixed: Buffer): string {
  const { dwFileVersionMS: high, dwFileVersionLS: low } = readFields(VS_FIXEDFILEINFO, fixed);
  return [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff].join('.');
}

/** A value within the block. @param width of what it is counted in */
function valueOf(block: Buffer, name: string, width = 1): Buffer | undefined {
  const value: Out<Pointer | null> = [null];
  const length: Out<number> = [0];
  if (version.VerQueryValueW(block, name, value, length) === 0 || value[0] === null) return undefined;
  return bytesWithin(block, value[0])?.subarray(0, length[0] * width);
}
