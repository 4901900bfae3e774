// SPDX-License-Identifier: Apache-2.0

/**
 * The file of a driver, by the path that its service has: below the folder of Windows where it begins with none, and by its name
 * where it has none. `undefined` where it is a path of the kernel's alone, as `\Device\HarddiskVolume1\x.sys`.
 *
 * @param windows the folder of Windows, `C:\Windows`
 */
export function driverFile(image: string, name: string, windows: string): string | undefined {
  const path = image.trim().replace(/^"(.*)"$/, '$1');
  if (path === '') return `${windows}\\System32\\drivers\\${name}.sys`;
  const plain = path.replace(/^\\\?\?\\/, '').replace(/^(?:\\SystemRoot|%SystemRoot%|%windir%)\\/i, '');
  if (/^[a-z]:\\/i.test(plain)) return plain;
  return plain.startsWith('\\') || plain.startsWith('%') ? undefined : `${windows}\\${plain}`;
}

/** The version in `DriverVer` of an INF, `07/11/2023,100.94.104.24800`; '' where there is none. */
export const driverVersion = (driverVer: string): string => /,\s*(\d+(?:\.\d+)*)\s*$/.exec(driverVer)?.[1] ?? '';
