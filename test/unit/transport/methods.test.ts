// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { defaultPath } from '../../../adapters/config/settings-table.ts';
import { channelPath, createTransport } from '../../../adapters/channels/index.ts';
import { joinedChannels } from '../../../adapters/channels/joined-channels.ts';
import { linuxChannels } from '../../../adapters/linux/channels/linux-channels.ts';
import { portableChannels } from '../../../adapters/channels/portable-channels.ts';
import { windowsChannels } from '../../../adapters/windows/channels/windows-channels.ts';
import type { Channels } from '../../../core/ports/index.ts';
import { silentLog } from './silent-log.ts';

describe('the channels of a system', () => {
  it('are the four of the reference on Linux', () => {
    expect(linuxChannels.methods.map(({ name }) => name).toSorted()).toEqual(['isa-serial', 'unix-listen', 'virtio-serial', 'vsock-listen']);
  });

  it.each(['bogus', 'unix-connect', 'toString', ''])('do not know %j, and say what they know', (name) => {
    expect(() => channelPath(linuxChannels, name, '/dev/x')).toThrow(
      `unsupported channel method/type: ${name} (use one of unix-listen, virtio-serial, isa-serial, vsock-listen)`,
    );
    expect(() => channelPath(portableChannels, 'virtio-serial', '/dev/x')).toThrow('(use one of unix-listen)');
  });

  it.each([
    ['posix', linuxChannels],
    ['windows', windowsChannels],
  ] as const)('have the paths that the configuration of %s names', (platform, channels) => {
    const paths = channels.methods.filter(({ defaultPath: path }) => path !== undefined).map(({ name, defaultPath: path }) => [name, path]);

    expect(paths.map(([name = '']) => [name, defaultPath(name, platform)])).toEqual(paths);
    expect(paths).toHaveLength(2);
  });

  it('have a path of their own, or need one', () => {
    expect(channelPath(linuxChannels, 'isa-serial', undefined)).toBe('/dev/ttyS0');
    expect(channelPath(linuxChannels, 'isa-serial', '')).toBe('/dev/ttyS0');
    expect(channelPath(linuxChannels, 'isa-serial', '/dev/else')).toBe('/dev/else');
    expect(() => channelPath(linuxChannels, 'unix-listen', undefined)).toThrow('must specify a path for this channel');
    expect(() => channelPath(linuxChannels, 'vsock-listen', '')).toThrow('must specify a path for this channel');
  });
});

describe('the channels of a backend', () => {
  const own: Channels = {
    methods: [{ name: 'console', defaultPath: 'ttyV0' }, { name: 'unix-listen' }],
    create: async (method, path) => ({ description: `own ${method} ${path}`, lost: new Promise(() => {}), open: async () => {}, close: async () => {} }),
  };

  it('stand beside those of the system, and before one of the same name', async () => {
    const joined = joinedChannels(own, linuxChannels);

    const described = async (method: string): Promise<string> => (await joined.create(method, '/x', { log: silentLog() })).description;
    expect(joined.methods.map(({ name }) => name)).toEqual(['console', 'unix-listen', 'virtio-serial', 'isa-serial', 'vsock-listen']);
    expect([await described('console'), await described('unix-listen'), await described('isa-serial')]).toEqual(['own console /x', 'own unix-listen /x', 'isa-serial /x']);
  });

  it('need not know what the system knows of its own', async () => {
    const joined = joinedChannels(own, linuxChannels);

    expect(await joined.appears?.('console', '/nowhere', new AbortController().signal)).toBe(false);
    expect(await joined.examine?.('console', '/nowhere')).toEqual([]);
    expect(await joined.examine?.('isa-serial', '/nowhere')).toEqual([expect.objectContaining({ verdict: 'bad' })]);
  });
});

describe('the transport of the settings', () => {
  it('names method and path, and opens nothing before it is asked to', async () => {
    const transport = await createTransport(linuxChannels, { path: '/nowhere/at/all', log: silentLog() });

    expect(transport.description).toBe('virtio-serial /nowhere/at/all');
  });

  it('refuses an unusable vsock address at once, also when it is to be retried', async () => {
    const creation = createTransport(linuxChannels, { method: 'vsock-listen', path: 'here:1', retry: true, log: silentLog() });

    await expect(creation).rejects.toThrow("Failed to parse cid 'here'");
  });

  it('is made anew by the backend’s own channels for each attempt, when its device has come', async () => {
    const came = Promise.withResolvers<boolean>();
    const opened: string[] = [];
    const again = Promise.withResolvers<void>();
    const channels: Channels = {
      methods: [{ name: 'console', defaultPath: 'ttyV0' }],
      create: async (method, path) => ({
        description: `${method} ${path}`,
        lost: new Promise(() => {}),
        open: async () => {
          opened.push(path);
          if (opened.length === 1) throw new Error('no such console');
          again.resolve();
        },
        close: async () => {},
      }),
      appears: () => came.promise,
    };
    const log = silentLog();
    const transport = await createTransport(channels, { method: 'console', retry: true, log });

    await transport.open(() => {});
    came.resolve(true);
    await again.promise;

    expect(transport.description).toBe('console ttyV0');
    expect(opened).toEqual(['ttyV0', 'ttyV0']);
    expect(log.lines).toEqual(['warning: no such console; trying again until it works']);
    await transport.close();
  });
});
