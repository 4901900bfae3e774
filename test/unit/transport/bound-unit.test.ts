// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { processes } from '../../../adapters/linux/programs/processes.ts';
import { boundUnit, restartAround } from '../../../adapters/linux/channels/bound-unit.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { scratchDirectory, script } from '../linux/support/scratch.ts';

/** A machine whose service manager is these programs, and a process in this control group. */
function machine(programs: Readonly<Record<string, string>>, cgroup: string): { readonly root: string; readonly inRoot: Processes; readonly cgroup: string } {
  const root = scratchDirectory();
  for (const [name, body] of Object.entries(programs)) script(join(root, 'bin', name), body);
  writeFileSync(join(root, 'cgroup'), cgroup);
  return {
    root,
    inRoot: { canMerge: true, spawn: (request) => processes.spawn({ ...request, environment: [`PATH=${join(root, 'bin')}:/usr/bin:/bin`] }) },
    cgroup: join(root, 'cgroup'),
  };
}

const device = 'echo dev-virtio\\\\x2dports-org.qemu.guest_agent.0.device';

it.each([
  ['that is bound to a device', '0::/system.slice/concierge-ga.service\n', device, 'concierge-ga.service'],
  ['of cgroup v1', '12:pids:/\n1:name=systemd:/system.slice/concierge-ga.service\n', device, 'concierge-ga.service'],
  ['that is bound to nothing', '0::/system.slice/concierge-ga.service\n', 'echo', undefined],
  ['that nobody knows', '0::/system.slice/concierge-ga.service\n', 'exit 1', undefined],
  ['that is none', '0::/user.slice/session-1.scope\n', device, undefined],
])('tells the service %s', async (_, cgroup, systemctl, unit) => {
  const { inRoot, cgroup: file } = machine({ systemctl }, cgroup);

  expect(await boundUnit(inRoot, file)).toBe(unit);
});

it('is no service where there are no control groups', async () => {
  const { inRoot, root } = machine({ systemctl: device }, '');

  expect(await boundUnit(inRoot, join(root, 'none'))).toBeUndefined();
});

it('has the unit stopped first, then the device taken and given back, then the unit started', async () => {
  // What systemd-run does, but at once.
  const systemctl = 'cd "${0%/*}/.." && echo "$1: $(ls -d bind unbind 2>/dev/null | paste -sd+)" >> order';
  const { inRoot, root } = machine({ systemctl, 'systemd-run': 'while [ "$1" != /bin/sh ]; do shift; done; exec "$@"' }, '');

  await restartAround('concierge-ga.service', { device: 'virtio3', driver: root }, inRoot);

  expect(readFileSync(join(root, 'order'), 'utf8')).toBe('stop: \nstart: bind+unbind\n');
  expect(readFileSync(join(root, 'unbind'), 'utf8')).toBe('virtio3\n');
  expect(readFileSync(join(root, 'bind'), 'utf8')).toBe('virtio3\n');
});

it('fails where the service manager does not take the order', async () => {
  const { inRoot, root } = machine({ 'systemd-run': 'echo no bus; exit 1' }, '');

  await expect(restartAround('concierge-ga.service', { device: 'virtio3', driver: root }, inRoot)).rejects.toThrow('child process has failed to start the reset: no bus');
});
