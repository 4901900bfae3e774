// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { describe, expect, it } from 'vitest';

import { TarGuard, type GuardOptions } from '../../../../client/cli/tar-guard.ts';

interface Given {
  readonly name?: string;
  readonly type?: string;
  readonly link?: string;
  readonly data?: string;
  /** Its size, where that is to differ from its data's. */
  readonly size?: string;
  readonly prefix?: string;
  readonly change?: (block: Buffer) => void;
}

/** One member as tar(5) has it. */
function member({ name = './file', type = '0', link = '', data = '', size, prefix = '', change }: Given): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, 'latin1');
  block.write('0000644\0', 100);
  block.write(size ?? `${data.length.toString(8).padStart(11, '0')}\0`, 124, 12, 'latin1');
  block.write(type, 156);
  block.write(link, 157, 100, 'latin1');
  block.write('ustar\x0000', 257);
  block.write(prefix, 345, 155, 'latin1');
  change?.(block);
  block.fill(0x20, 148, 156);
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([block, Buffer.from(data, 'latin1'), Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

const record = (name: string, value: string): string => {
  const rest = ` ${name}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return `${length}${rest}`;
};
const pax = (records: Readonly<Record<string, string>>, type = 'x'): Buffer => member({ name: 'PaxHeader', type, data: Object.entries(records).map(([name, value]) => record(name, value)).join('') });
const end = Buffer.alloc(1024);

async function guarded(archive: readonly Buffer[], options: Partial<GuardOptions> = {}, piece = 1_000_000): Promise<{ bytes: Buffer; leftOut: string[] }> {
  const leftOut: string[] = [];
  const chunks: Buffer[] = [];
  const whole = Buffer.concat([...archive, end]);
  const guard = new TarGuard({ anyLinks: false, devices: false, leftOut: (name, why) => void leftOut.push(`${name}: ${why}`), ...options });
  guard.on('data', (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
  await pipeline(Readable.from(Array.from({ length: Math.ceil(whole.length / piece) }, (_, index) => whole.subarray(index * piece, (index + 1) * piece))), guard);
  return { bytes: Buffer.concat(chunks), leftOut };
}

const folder = member({ name: './', type: '5' });
const good = [folder, member({ data: 'some text' }), pax({ path: './ä/long', mtime: '1.5' }), member({ name: './x', data: 'y'.repeat(1024) }), member({ name: './in', type: '2', link: 'file' }), member({ name: './twin', type: '1', link: './file' }), member({ name: './fifo', type: '6' })];

describe('an archive on its way', () => {
  it.each([1, 7, 511, 512, 513, 100_000])('goes through as it is, in pieces of %i bytes', async (piece) => {
    const { bytes, leftOut } = await guarded(good, {}, piece);

    expect(bytes.equals(Buffer.concat([...good, end]))).toBe(true);
    expect(leftOut).toEqual([]);
  });

  it('may have names of any length, and sparse files as pax(1) has them', async () => {
    const long = `./${'n'.repeat(200)}`;
    const archive = [
      member({ name: '././@LongLink', type: 'L', data: `${long}\0` }), member({ name: long.slice(0, 100), data: 'a' }),
      member({ name: '././@LongLink', type: 'K', data: `${'l'.repeat(150)}\0` }), member({ name: './link', type: '2', link: 'l' }),
      pax({ 'GNU.sparse.major': '1', 'GNU.sparse.name': './holes' }), member({ name: './GNUSparseFile.1/holes', data: 'c' }),
    ];

    expect((await guarded(archive)).bytes.equals(Buffer.concat([...archive, end]))).toBe(true);
  });
});

describe('links and devices', () => {
  it.each([
    ['/etc/passwd', './l'], ['..', './l'], ['../x', './l'], ['../../x', './a/l'], ['a/../../x', './l'], ['a/..', './l'], ['./../x', './l'],
  ])('a link to %s at %s is left out', async (link, name) => {
    const { bytes, leftOut } = await guarded([folder, member({ name, type: '2', link }), member({})]);

    expect(leftOut).toEqual([`${name}: it is a link that leads out of the folder, to ${JSON.stringify(link)}`]);
    expect(bytes.equals(Buffer.concat([folder, member({}), end]))).toBe(true);
  });

  it.each([['../x', './a/l'], ['..', './a/l'], ['../../x/y', './a/b/l'], ['nowhere', './l'], ['./a/b', './l']])('a link to %s at %s stays', async (link, name) => {
    expect((await guarded([member({ name, type: '2', link })])).leftOut).toEqual([]);
  });

  it('a long target counts, whatever stands in the header, and goes with the link', async () => {
    const archive = [pax({ linkpath: '/etc/shadow' }), member({ name: './l', type: '2', link: 'harmless' }), member({ name: '././@LongLink', type: 'K', data: '/etc/group\0' }), member({ name: './m', type: '2', link: 'x' })];

    const { bytes, leftOut } = await guarded(archive);

    expect(leftOut).toHaveLength(2);
    expect(bytes.equals(end)).toBe(true);
    expect((await guarded(archive, { anyLinks: true })).bytes.equals(Buffer.concat([...archive, end]))).toBe(true);
  });

  it('a twin of a link is a link at another place, and may lead out from there', async () => {
    const archive = [folder, member({ name: './d/e/up', type: '2', link: '../..' }), member({ name: './up', type: '1', link: './d/e/up' }), member({ name: './d/e/too', type: '1', link: './d/e/up' })];

    expect((await guarded(archive)).leftOut).toEqual(['./up: it is a link that leads out of the folder, to "../.."']);
    expect((await guarded(archive, { anyLinks: true })).leftOut).toEqual([]);
  });

  it('a short target counts as well: some programs know no other', async () => {
    expect((await guarded([pax({ linkpath: 'harmless' }), member({ name: './l', type: '2', link: '/etc/passwd' })])).leftOut).toHaveLength(1);
  });

  it('a device is left out, and with it what is the same file', async () => {
    const archive = [member({ name: './disk', type: '4' }), member({ name: './tty', type: '3' }), member({ name: './twin', type: '1', link: './disk' })];

    expect((await guarded(archive)).leftOut).toEqual(['./disk: it is a device', './tty: it is a device', './twin: it is the same as "./disk"']);
    expect((await guarded(archive, { devices: true })).leftOut).toEqual([]);
  });

  it('what a guest names shows nothing on a terminal', async () => {
    expect((await guarded([member({ name: './\u001b[2J', type: '3' })])).leftOut[0]).not.toContain('\u001b');
  });
});

describe('an archive that nobody should unpack', () => {
  it.each<readonly [string, string, readonly Buffer[]]>([
    ['a name from the root', 'leads out of the folder: "/etc/passwd"', [member({ name: '/etc/passwd' })]],
    ['a name that goes up', 'leads out of the folder: "./a/../../x"', [member({ name: './a/../../x' })]],
    ['a prefix that goes up', 'leads out of the folder: "../up/x"', [member({ name: 'x', prefix: '../up' })]],
    ['a path of pax(1) that goes up', 'leads out of the folder: "../x"', [pax({ path: '../x' }), member({})]],
    ['a name in the header that goes up, behind a harmless path', 'leads out of the folder: "../x"', [pax({ path: './x' }), member({ name: '../x' })]],
    ['a sparse file that goes up', 'leads out of the folder: "../x"', [pax({ 'GNU.sparse.name': '../x' }), member({})]],
    ['a long name that goes up', 'leads out of the folder: "../x"', [member({ type: 'L', data: '../x\0' }), member({})]],
    ['a twin of what is outside', 'leads out of the folder: "../x"', [member({ name: './a', type: '1', link: '../x' })]],
    ['a name behind a link', 'behind a link of its own', [member({ name: './l', type: '2', link: 'a' }), member({ name: './l/x' })]],
    ['a name in the place of a link', 'behind a link of its own', [member({ name: './l', type: '2', link: 'a' }), member({ name: 'l', type: '5' })]],
    ['a name behind the twin of a link', 'behind a link of its own', [member({ name: './l', type: '2', link: 'a' }), member({ name: './m', type: '1', link: './l' }), member({ name: './m/x' })]],
    ['a twin of what is behind a link', 'behind a link of its own', [member({ name: './q', type: '2', link: 'd/e' }), member({ name: './d/e/up', type: '2', link: '../..' }), member({ name: './up', type: '1', link: './q/up' })]],
    ['a name in the header behind a link, whatever the path is', 'behind a link of its own', [member({ name: './l', type: '2', link: 'a' }), pax({ path: './x' }), member({ name: './l/x' })]],
    ['a sparse file of the older kind, in whose map a header is', "an unknown kind, 'S'", [member({ name: './s', type: 'S', change: (block) => void (block[482] = 1) }), member({ name: '../x' }), member({})]],
    ['attributes twice', 'attributes of a member twice', [pax({ path: '../x' }), pax({ mtime: '1' }), member({})]],
    ['attributes of two kinds', 'attributes of a member twice', [member({ type: 'K', data: '/etc/passwd\0' }), pax({ linkpath: 'x' }), member({ name: './l', type: '2', link: 'x' })]],
    ['two long names', 'attributes of a member twice', [member({ type: 'L', data: './a\0' }), member({ type: 'L', data: './b\0' }), member({})]],
    ['two sizes', 'a member of two sizes', [pax({ size: '512' }), member({ name: './x' }), member({ name: '../x' })]],
    ['a prefix where some look for none', 'read in two ways', [member({ name: 'x', prefix: '..', change: (block) => void block.write('ustar 00', 257) })]],
    ['attributes for all members', 'attributes for all', [pax({ path: '../x' }, 'g'), member({})]],
    ['attributes that are none', 'cannot be read', [member({ type: 'x', data: '9 path=../x\n' }), member({})]],
    ['too many attributes', 'too many attributes', [member({ type: 'L', size: '00010000000\0' })]],
    ['data of a link', 'where there can be none', [member({ name: './l', type: '2', link: 'a', data: 'x' })]],
    ['data of a folder', 'where there can be none', [member({ name: './l/', data: 'x' })]],
    ['an unknown kind', "an unknown kind, 'V'", [member({ type: 'V' })]],
    ['a name that no system takes', 'a name of more than 4096 bytes', [member({ type: 'L', data: 'a/'.repeat(2049) }), member({ name: './x' })]],
    ['a link to what no system takes', 'a name of more than 4096 bytes', [pax({ linkpath: 'a/'.repeat(2049) }), member({ name: './l', type: '2', link: 'x' })]],
    ['no name', 'without a name', [member({ name: '' })]],
    ['an impossible size', 'an impossible size', [pax({ size: '-1' }), member({})]],
    ['a size that is no number', 'a number that is none', [member({ size: '0000000009x\0' })]],
    ['a size beyond all files', 'an impossible size', [member({ change: (block) => void block.fill(0xff, 124, 136) })]],
    ['no archive', 'no archive of tar', [Buffer.alloc(512, 'what?')]],
    ['attributes of nothing', 'breaks off', [pax({ path: './x' })]],
  ])('has %s', async (_what, words, archive) => {
    await expect(guarded(archive, { anyLinks: true, devices: true })).rejects.toThrow(words);
  });

  it.each([['links', '2'], ['devices', '3']])('has more names of %s than there is memory for', async (_what, type) => {
    const long = 'n'.repeat(4000);
    const archive = Array.from({ length: 10 }, (_, index) => [pax({ path: `./${index}${long}`, linkpath: 'x' }), member({ name: './l', type, link: 'x' })]).flat();

    await expect(guarded(archive, { mostKept: 36_000 })).rejects.toThrow('too many links and devices with long names');
    expect((await guarded(archive, { mostKept: 42_000 })).bytes.length).toBeGreaterThan(0);
  });

  it('breaks off', async () => {
    const guard = new TarGuard({ anyLinks: false, devices: false, leftOut: () => undefined });

    await expect(pipeline(Readable.from([member({ data: 'text' })]), guard.resume())).rejects.toThrow('the archive breaks off');
    expect(guard.brokeOff).toBe(true);
  });

  it('goes on behind its end, where nobody listens any more', async () => {
    expect((await guarded([folder, end, member({ name: '../x' })])).bytes.equals(Buffer.concat([folder, end]))).toBe(true);
  });
});
