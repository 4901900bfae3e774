import { describe, expect, it } from 'vitest';
import { createTransport, transportMethod, transportMethods, transportPath } from '../../../adapters/transport/index.ts';
import { silentLog } from './silent-log.ts';

describe('transport methods', () => {
  it('knows the four of the reference', () => {
    expect(transportMethods).toEqual(['virtio-serial', 'isa-serial', 'unix-listen', 'vsock-listen']);
  });

  it.each(['bogus', 'unix-connect', 'toString', ''])('refuses %j', (name) => {
    expect(() => transportMethod(name)).toThrow(`unsupported channel method/type: ${name}`);
  });

  it.each([
    ['virtio-serial', '/dev/virtio-ports/org.qemu.guest_agent.0'],
    ['isa-serial', '/dev/ttyS0'],
  ] as const)('%s has a path of its own', (method, path) => {
    expect(transportPath(method, undefined)).toBe(path);
    expect(transportPath(method, '')).toBe(path);
    expect(transportPath(method, '/dev/else')).toBe('/dev/else');
  });

  it.each(['unix-listen', 'vsock-listen'] as const)('%s needs a path', (method) => {
    expect(() => transportPath(method, undefined)).toThrow('must specify a path for this channel');
  });

  it('names method and path, and opens nothing before it is asked to', async () => {
    const transport = await createTransport({ path: '/nowhere/at/all', log: silentLog() });

    expect(transport.description).toBe('virtio-serial /nowhere/at/all');
  });

  it('refuses an unusable vsock address at once, also when it is to be retried', async () => {
    const creation = createTransport({ method: 'vsock-listen', path: 'here:1', retry: true, log: silentLog() });

    await expect(creation).rejects.toThrow("Failed to parse cid 'here'");
  });
});
