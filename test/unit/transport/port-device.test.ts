// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PortDevice } from '../../../adapters/linux/channels/port-device.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'device-'));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** A machine with one virtio device of so many ports, as sysfs shows it; the first is the agent's. */
function machine(...ports: readonly string[]): { readonly device: PortDevice; readonly driver: string } {
  const device = join(scratch, 'sys/devices/pci0000:00/0000:00:05.0/virtio3');
  const driver = join(scratch, 'sys/bus/virtio/drivers/virtio_console');
  for (const directory of [driver, join(scratch, 'sys/class/virtio-ports'), join(scratch, 'dev'), join(scratch, 'proc')]) mkdirSync(directory, { recursive: true });
  for (const port of ports) {
    mkdirSync(join(device, 'virtio-ports', port), { recursive: true });
    symlinkSync(join(device, 'virtio-ports', port), join(scratch, 'sys/class/virtio-ports', port));
    writeFileSync(join(scratch, 'dev', port), '');
  }
  for (const file of ['bind', 'unbind']) writeFileSync(join(driver, file), '');
  symlinkSync(driver, join(device, 'driver'));
  symlinkSync(ports[0] ?? '', join(scratch, 'dev/org.qemu.guest_agent.0'));
  const trees = { sys: join(scratch, 'sys'), proc: join(scratch, 'proc'), dev: join(scratch, 'dev') };
  return { device: PortDevice.of(join(scratch, 'dev/org.qemu.guest_agent.0'), trees), driver };
}

function holds(pid: string, node: string): void {
  mkdirSync(join(scratch, 'proc', pid, 'fd'), { recursive: true });
  symlinkSync(join(scratch, 'dev', node), join(scratch, 'proc', pid, 'fd/3'));
}

it('is taken from its driver and given back', () => {
  const { device, driver } = machine('vport1p1');

  device.reset();

  expect(device.names).toEqual({ device: 'virtio3', driver });
  expect(readFileSync(join(driver, 'unbind'), 'utf8')).toBe('virtio3');
  expect(readFileSync(join(driver, 'bind'), 'utf8')).toBe('virtio3');
});

it('is in use where somebody has another of its ports open, and only then', () => {
  const { device } = machine('vport1p1', 'vport1p2');
  holds('4194300', 'vport1p1');
  const before = device.inUse();
  holds('4194301', 'vport1p2');

  expect(before).toBeUndefined();
  expect(device.inUse()).toBe('process 4194301 has another of its ports open');
});

it('is in use where the machine has a console that may be on another of its ports', () => {
  const console = 'sys/class/tty/hvc0';
  const { device } = machine('vport1p1', 'vport1p0');
  mkdirSync(join(scratch, console), { recursive: true });

  expect(device.inUse()).toBe('a console may be on another of its ports');
});

it('is not in use by a console where it has no other port', () => {
  const { device } = machine('vport1p1');
  mkdirSync(join(scratch, 'sys/class/tty/hvc0'), { recursive: true });

  expect(device.inUse()).toBeUndefined();
});

it('cannot be reset where the driver cannot be told', () => {
  const { device, driver } = machine('vport1p1');
  rmSync(join(driver, 'bind'));

  expect(() => device.inUse()).toThrow('ENOENT');
});

it('is not there for what is no port', () => {
  machine('vport1p1');

  expect(() => PortDevice.of('/dev/null', { sys: join(scratch, 'sys'), proc: '/proc', dev: '/dev' })).toThrow('ENOENT');
});
