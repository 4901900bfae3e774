// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { deviceIn, extendedPath } from '../../../adapters/windows/paths.ts';

describe('devices that a path of Windows leads to', () => {
  for (const [path, device] of [
    ['NUL', 'NUL'], ['c:\\dir\\nul', 'NUL'], ['con.txt', 'CON'], ['C:con', 'CON'], ['\\\\.\\COM1', 'COM1'], ['//./com9', 'COM9'], ['prn :x', 'PRN'],
    ['lpt\u00b9', 'LPT\u00b9'], ['AUX.a.b', 'AUX'], ['CONIN$', 'CONIN$'], ['dir/CONOUT$', 'CONOUT$'], ['COM0', 'COM0'],
    ['COM10', undefined], ['console', undefined], ['\\\\?\\C:\\con', undefined], ['com1\\file', undefined], ['xCON', undefined], ['', undefined], ['C:', undefined], ['.con', undefined],
  ] as const) {
    it(`${JSON.stringify(path)}: ${device ?? 'none'}`, () => {
      expect(deviceIn(path)).toBe(device);
    });
  }
});

describe('paths longer than MAX_PATH', () => {
  const long = 'folder-of-thirty-characters-xx\\'.repeat(9);

  for (const [what, path, extended] of [
    ['a short one is left as it is', 'C:\\a\\..\\b.', 'C:\\a\\..\\b.'],
    ['with a drive', `C:\\${long}x`, `\\\\?\\C:\\${long}x`],
    ['with slashes, dots and repeated separators', `C:/a/../b//./${long}x`, `\\\\?\\C:\\b\\${long}x`],
    ['more steps up than there are', `C:\\..\\..\\${long}x`, `\\\\?\\C:\\${long}x`],
    ['on a server', `\\\\server\\share\\${long}x`, `\\\\?\\UNC\\server\\share\\${long}x`],
    ['literal already', `\\\\?\\C:\\${long}x.`, `\\\\?\\C:\\${long}x.`],
    ['with dots and blanks at the end of names', `C:\\a. \\${long}x. .`, `\\\\?\\C:\\a\\${long}x`],
    ['a relative one, which has no longer form', `${long}x`, `${long}x`],
  ] as const) {
    it(what, () => {
      expect(extendedPath(path)).toBe(extended);
    });
  }
});
