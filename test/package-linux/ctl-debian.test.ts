// SPDX-License-Identifier: Apache-2.0
/**
 * The package of concierge-ctl on a clean Debian 13, by apt, without a libvirt and with that of Debian. It takes minutes and fetches some hundred
 * packages: CONCIERGE_TEST_DEBIAN_HOST=1.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { installed, isRoot, output, repository } from './lib/packages.ts';

const missing = process.env['CONCIERGE_TEST_DEBIAN_HOST'] !== '1' ? 'CONCIERGE_TEST_DEBIAN_HOST=1'
  : !isRoot ? 'root'
  : ['mmdebstrap', 'unshare', 'dpkg-deb'].find((program) => installed(program) === undefined);
const needs = missing === undefined ? '' : ` (needs ${missing})`;

describe.skipIf(missing !== undefined)(`concierge-ctl on a clean Debian 13${needs}`, () => {
  let directory: string;
  let root: string;
  let daemon: ChildProcess | undefined;
  let file: string;

  const enter = (script: string): readonly [string, readonly string[]] => ['unshare', ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', 'sh', '-c',
    'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/sh -c "$1"', root, script]];
  const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', HOME: '/root' };

  function run(script: string): { readonly status: number | null; readonly out: string; readonly err: string } {
    const { status, stdout, stderr } = spawnSync(...enter(script), { encoding: 'utf8', env: environment });
    return { status, out: stdout, err: stderr };
  }
  function must(script: string): string {
    const { status, out, err } = run(script);
    if (status !== 0) throw new Error(`${script} ended with ${String(status)}:\n${out}\n${err}`);
    return out;
  }

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-debian-'));
    root = join(directory, 'root');
    output(process.execPath, join(repository, 'scripts/package-ctl.ts'), `--output=${directory}`, '--format=deb');
    file = readdirSync(directory).find((name) => name.endsWith('.deb')) ?? '';
    execFileSync('mmdebstrap', ['--quiet', '--variant=minbase', 'trixie', root]);
    copyFileSync(join(directory, file), join(root, 'root', file));
    // Nothing that is installed starts a service.
    must("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d && apt-get update -qq");
  }, 900_000);

  afterAll(async () => {
    if (daemon?.pid !== undefined) {
      const gone = new Promise((resolve) => daemon?.once('exit', resolve));
      daemon.kill('SIGKILL');
      await gone;
    }
    rmSync(directory, { recursive: true, force: true });
  });

  it('is installed by apt with its dependencies, and is the only package of its kind', () => {
    must(`cd /root && apt-get install -y --no-install-recommends ./${file} >/dev/null`);

    expect(must('dpkg-query -W -f \'${Status}\' concierge-ctl')).toBe('install ok installed');
    expect(must('concierge-ctl --version')).toMatch(/^concierge-ctl \d+\.\d+\.\d+\n$/);
    expect(must('node --version')).toMatch(/^v20\./);
    expect(must('ls -l /usr/bin/concierge-ctl')).toMatch(/^-rwxr-xr-x|^l/);
  }, 900_000);

  it.each([
    ['concierge-ctl --libvirt vm7 info', 3, 'concierge-ctl: no libvirt daemon listens at /run/libvirt/virtqemud-sock or /run/libvirt/libvirt-sock: is virtqemud or libvirtd running?\n'],
    ['concierge-ctl --libvirt vm7 frozen -- touch /root/copied', 125, 'concierge-ctl: no libvirt daemon listens at'],
    ["concierge-ctl --libvirt '*' info", 3, 'concierge-ctl: no libvirt daemon listens at'],
    ['concierge-ctl --libvirt vm7 --connect qemu+ssh://host/system info', 3, 'there is no program ssh'],
    ['concierge-ctl --all info', 2, '/root/.config/concierge-ctl/guests.conf or /etc/concierge-ctl/guests.conf would be one'],
  ])('%s without libvirt ends with %i and says why', (command, status, why) => {
    expect(run(command)).toMatchObject({ status, out: '', err: expect.stringContaining(why) });
    expect(existsSync(join(root, 'root/copied'))).toBe(false);
  });

  it('completes and documents itself', () => {
    must('bash -n /usr/share/bash-completion/completions/concierge-ctl');
    // minbase leaves manuals out where dpkg is told so; the file is in the package all the same.
    expect(must(`dpkg-deb -c /root/${file}`)).toContain('./usr/share/man/man1/concierge-ctl.1.gz');
  });

  it("talks with Debian 13's own libvirt", async () => {
    must('apt-get install -y --no-install-recommends libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients >/dev/null');
    const program = must('command -v virtqemud || command -v libvirtd').trim();
    daemon = spawn(...enter(`mkdir -p /run/libvirt && exec ${program}`), { env: environment, stdio: 'ignore' });
    for (let tries = 0; tries < 300 && !['virtqemud-sock', 'libvirt-sock'].some((name) => existsSync(join(root, 'run/libvirt', name))); tries += 1) await pause(200);

    const version = must('virsh version --daemon 2>/dev/null | tail -n 3 || true');
    expect(run('concierge-ctl --libvirt vm7 info'), version).toMatchObject({ status: 3, err: expect.stringContaining("no domain with matching name 'vm7'") });
    expect(run("concierge-ctl --libvirt '*' guests")).toMatchObject({ status: 0, out: '', err: expect.stringContaining('no domain of this name runs') });
    expect(run("concierge-ctl --libvirt '*' info")).toMatchObject({ status: 2, err: expect.stringContaining('no domain that runs is named *') });
    // There is no polkit that would be asked.
    expect(run("su -s /bin/sh nobody -c 'concierge-ctl --libvirt vm7 info'"), version).toMatchObject({ status: 3, err: expect.stringContaining('(become root, or a member of the group libvirt)') });
  }, 900_000);

  it('goes with its last file when it is removed', () => {
    must('apt-get purge -y concierge-ctl >/dev/null');

    expect(run('command -v concierge-ctl').status).not.toBe(0);
    expect(must("find / -xdev -name '*concierge*' -not -path '/root/*' -not -path '/proc/*' -not -path '/tmp/*'")).toBe('');
  });
});
