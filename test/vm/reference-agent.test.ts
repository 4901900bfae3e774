import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installPackages, missingForLab } from './lab/host.ts';
import { AGENT_PORT, Machine } from './lab/machine.ts';

const missing = missingForLab();

/** What the lab itself can do, shown on the agent that others have proved. */
describe.skipIf(missing !== undefined)(`the reference agent in a machine${missing === undefined ? '' : ` (${missing})`}`, () => {
  let machine: Machine;

  beforeAll(async () => {
    await installPackages();
    machine = await Machine.boot();
  });
  afterAll(async () => machine?.destroy());

  it('is started by udev on its port and answers through the host socket', async () => {
    const host = await machine.agent();

    host.send('{"execute":"guest-sync","arguments":{"id":4711}}\n');

    expect(await host.line()).toBe('{"return": 4711}');
    expect(await machine.shell.run(`readlink -f /dev/virtio-ports/${AGENT_PORT}`)).toMatch(/^\/dev\/vport\d+p1$/);
    host.close();
  });

  it('says of the guest what its own shell sees', async () => {
    const host = await machine.agent();

    host.send('{"execute":"guest-get-host-name"}\n');
    const answer = JSON.parse(await host.line()) as { readonly return: Record<string, unknown> };

    expect(answer.return['host-name']).toBe(await machine.shell.run('hostname'));
    host.close();
  });

  it('loses its port when the host unplugs it', async () => {
    await machine.qmp.execute('device_del', { id: 'agentport' });

    await machine.qmp.event('DEVICE_DELETED');

    expect(await machine.shell.run('udevadm settle; ls /dev/virtio-ports')).toBe('lab.shell.0');
  });
});
