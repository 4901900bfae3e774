// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseVsockAddress } from '../../../adapters/shared/vsock-address.ts';

describe('parseVsockAddress', () => {
  it('reads a CID and a port', () => {
    expect(parseVsockAddress('3:1234')).toEqual({ cid: 3, port: 1234 });
  });

  it('takes the greatest 32-bit numbers: any CID, any port', () => {
    expect(parseVsockAddress('4294967295:4294967295')).toEqual({ cid: 4_294_967_295, port: 4_294_967_295 });
  });

  it.each([
    ['', "error parsing address '' (it is CID:PORT, as in 4294967295:1024)"],
    ['1234', "error parsing address '1234'"],
    [':1234', "error parsing address ':1234'"],
    ['3:', "error parsing address '3:'"],
    ['3:4:5', "trailing characters in address '3:4:5'"],
    ['x:1234', "Failed to parse cid 'x'"],
    ['-1:1234', "Failed to parse cid '-1'"],
    ['0x3:1234', "Failed to parse cid '0x3'"],
    ['4294967296:1', "Failed to parse cid '4294967296'"],
    ['3:4294967296', "Failed to parse port '4294967296'"],
    ['3:12 34', "Failed to parse port '12 34'"],
  ])('refuses %j in the words of the reference', (address, message) => {
    expect(() => parseVsockAddress(address)).toThrow(message);
  });
});
