// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { deviceHolder } from '../../../adapters/linux/channels/device-holder.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'holder-'));
});
afterEach(() => rmSync(scratch, { recursive: true }));

const processHolding = (pid: string, ...targets: string[]): void => {
  mkdirSync(join(scratch, 'proc', pid, 'fd'), { recursive: true });
  for (const [fd, target] of targets.entries()) symlinkSync(target, join(scratch, 'proc', pid, 'fd', String(fd)));
};

it('finds the process through the link that udev made to the node', () => {
  const node = join(scratch, 'vport1p1');
  writeFileSync(node, '');
  symlinkSync(node, join(scratch, 'org.qemu.guest_agent.0'));
  processHolding('4194300', '/dev/null');
  processHolding('4194301', '/dev/null', node);

  const holder = deviceHolder(join(scratch, 'org.qemu.guest_agent.0'), join(scratch, 'proc'));

  expect(holder).toBe('process 4194301');
});

it('says nothing where nobody is seen to hold it, or descriptors are closed to us', () => {
  processHolding('4194300', '/dev/null');
  mkdirSync(join(scratch, 'proc', '4194302'));
  mkdirSync(join(scratch, 'proc', 'self'));

  expect(deviceHolder(join(scratch, 'missing'), join(scratch, 'proc'))).toBeUndefined();
});

it('names a process that it can look at', () => {
  processHolding(String(process.pid), '/dev/somewhere');

  expect(deviceHolder('/dev/somewhere', join(scratch, 'proc'))).toMatch(new RegExp(`^process ${process.pid} \\(.+\\)$`));
});
