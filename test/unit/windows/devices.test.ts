// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const folder = new URL('../../../adapters/windows/', import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.startsWith('bindings'));
const using = (call: RegExp): readonly string[] => files.filter((name) => call.test(readFileSync(new URL(name, folder), 'utf8'))).toSorted();

describe('the way to a device', () => {
  it('is one: ports, vsock, disks and the self-test open theirs with it; files, folders and NUL are opened elsewhere', () => {
    expect(using(/\.CreateFileW\b/)).toEqual(['child-pipe.ts', 'device-control.ts', 'files.ts', 'private-files.ts', 'trust/trusted-place.ts']);
    expect(using(/\b(?:openDevice|withDevice)\(/)).toEqual([
      'channels/device-transport.ts', 'channels/vsock/driver.ts', 'device-control.ts', 'diagnosis/self-test.ts', 'disk-address.ts', 'disk-nodes.ts',
    ]);
  });

  it('is the one by which a device is asked, but for a port with overlapped calls of its own', () => {
    expect(using(/\.DeviceIoControl\b/)).toEqual(['channels/overlapped-device.ts', 'device-control.ts']);
  });
});
