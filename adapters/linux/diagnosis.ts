// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bad, good, warning } from '../../core/diagnosis/finding.ts';
import { messageOf } from '../../core/errors/agent-error.ts';
import type { Diagnosis, Finding, TrialOutcome } from '../../core/ports/diagnosis.ts';
import { keysElsewhere } from './accounts/sshd-configuration.ts';
import { readMountInfo } from './block/mounts.ts';
import { surveyFileSystems } from './freeze/freeze-survey.ts';
import { defaultGuardianPath } from './freeze/guardian.ts';
import { keeperFindings } from './keeper/keeper-finding.ts';
import { attribute, latin1Text } from './kernel-files.ts';
import { nativeAddon } from './native.ts';

/** Bits of capabilities(7) that the agent has a use for, and what fails without them. */
const needed: readonly (readonly [bit: bigint, name: string, without: string])[] = [
  [21n, 'CAP_SYS_ADMIN', 'freezing and trimming'],
  [14n, 'CAP_IPC_LOCK', 'keeping the freeze guardian in memory'],
  [22n, 'CAP_SYS_BOOT', 'shutting down'],
  [25n, 'CAP_SYS_TIME', 'setting the clock'],
  [1n, 'CAP_DAC_OVERRIDE', 'reading and writing other users’ files'],
];

/** Programs of the system that commands run; any one of a row will do. */
const programs: readonly (readonly [files: readonly string[], command: string, packageName: string])[] = [
  [['/usr/sbin/chpasswd', '/usr/bin/chpasswd'], 'guest-set-user-password', 'passwd'],
  [['/sbin/poweroff', '/sbin/shutdown', '/usr/bin/systemctl', '/bin/systemctl', '/usr/sbin/poweroff', '/usr/bin/poweroff'], 'guest-shutdown', 'systemd-sysv'],
];

/** What of Linux has to be there. `root` stands before all paths, for tests. */
export function linuxDiagnosis(root: string, guardianPath = defaultGuardianPath): Diagnosis {
  const looks: readonly (() => readonly Finding[] | Promise<readonly Finding[]>)[] = [
    () => rights(root),
    () => mountNamespace(root),
    () => guardian(guardianPath),
    () => keeperFindings(root),
    () => suspendedMounts(root),
    () => systemPrograms(root),
    () => sleep(root),
    () => sshKeys(root),
  ];
  return {
    examine: async () => (await Promise.all(looks.map(async (look) => {
      try {
        return await look();
      } catch (error) {
        return [warning('diagnosis', messageOf(error))];
      }
    }))).flat(),
  };
}

function rights(root: string): readonly Finding[] {
  // CapEff:	000001ffffffffff
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(latin1Text(`${root}/proc/self/status`) ?? '')?.[1];
  if (effective === undefined) return [warning('rights', 'what this process may do cannot be told: /proc is missing')];
  const held = BigInt(`0x${effective}`);
  const missing = needed.filter(([bit]) => ((held >> bit) & 1n) === 0n);
  if (missing.length === 0) return [good('rights', 'all that the commands need')];
  const unwell = missing.some(([, name]) => name === 'CAP_SYS_ADMIN') ? bad : warning;
  return [unwell(
    'rights',
    `without ${missing.map(([, name, without]) => `${name} (${without})`).join(', ')}`,
    isRoot(root)
      ? 'root is kept from them: see CapabilityBoundingSet= of the unit, or the settings of the container'
      : 'run the agent as root, and this command too; see CapabilityBoundingSet= of its unit',
  )];
}

/** Uid:	0	0	0	0 */
const isRoot = (root: string): boolean => /^Uid:\s*\d+\s+0\s/m.test(latin1Text(`${root}/proc/self/status`) ?? '');

/** What would hang in a freeze, and is left out by every thaw. */
export function suspendedMounts(root: string): readonly Finding[] {
  if (readMountInfo(root) === undefined) return [];
  const hung = surveyFileSystems(root).flatMap(({ candidate: { mountPoints, suspended } }) => (suspended === undefined ? [] : `${mountPoints[0]}: ${suspended}`));
  if (hung.length === 0) return [];
  return [bad('suspended devices', hung.join('; '), 'resume them (dmsetup resume NAME), or find out what has suspended them: a tool of LVM that broke off')];
}

/** Freezing in a namespace of one's own is freezing what the rest of the machine may not even have mounted. */
function mountNamespace(root: string): readonly Finding[] {
  const subject = 'mount namespace';
  try {
    const own = readlinkSync(`${root}/proc/self/ns/mnt`);
    const machines = readlinkSync(`${root}/proc/1/ns/mnt`);
    if (own === machines) return [good(subject, 'the machine’s own')];
    return [bad(
      subject,
      'another one than the machine’s: what it has mounted is not what would be frozen',
      'take out of the unit what makes one: PrivateTmp=, ProtectSystem=, ReadOnlyPaths= and their like',
    )];
  } catch {
    return [warning(subject, 'that of process 1 cannot be seen, so whether it is the machine’s own stays open', isRoot(root) ? 'look at it from outside of the container, or with CAP_SYS_PTRACE' : 'run this command as root')];
  }
}

function guardian(path: () => string): readonly Finding[] {
  const subject = 'freeze guardian';
  const program = path();
  try {
    accessSync(program, constants.X_OK);
    return [good(subject, program)];
  } catch {
    return [bad(subject, `${program} is missing or no program: no freeze will be made`, 'install the package again')];
  }
}

const systemPrograms = (root: string): readonly Finding[] =>
  programs.map(([files, command, packageName]) => {
    const found = files.find((file) => existsSync(`${root}${file}`));
    return found === undefined
      ? warning(command, `needs ${files.join(' or ')}, and there is none`, `install ${packageName}`)
      : good(command, `by ${found}`);
  });

function sleep(root: string): readonly Finding[] {
  const states = attribute(`${root}/sys/power/state`)?.split(/\s+/) ?? [];
  const modes = [...(states.includes('mem') ? ['ram'] : []), ...(states.includes('disk') ? ['disk'] : [])];
  return [good('guest-suspend', modes.length === 0 ? 'the kernel has no way to sleep' : `the kernel knows ${modes.join(' and ')}`)];
}

async function sshKeys(root: string): Promise<readonly Finding[]> {
  const subject = 'guest-ssh-add-authorized-keys';
  const reason = await keysElsewhere(root, nativeAddon());
  if (reason === undefined) return [good(subject, 'in .ssh/authorized_keys of a user')];
  return [warning(subject, `in .ssh/authorized_keys of a user, but ${reason}`, 'add .ssh/authorized_keys to AuthorizedKeysFile, or forbid the command (block-rpcs)')];
}

const loopScript = `set -e
truncate -s 64M "$1/image"
mkfs.ext4 -q -F "$1/image"
mkdir "$1/mounted"
mount -o loop "$1/image" "$1/mounted"
dd if=/dev/urandom of="$1/mounted/data" bs=1M count=8 2>/dev/null
folder=$1
shift
exec "$@" "$folder/mounted"`;

/**
 * Freezes and thaws a file system of its own: on a loop device, in a mount namespace of its own, by this program anew. Nothing
 * stays: the mount and the device go with the namespace.
 */
export async function loopDeviceTrial(): Promise<TrialOutcome> {
  if (process.getuid?.() !== 0) return { result: 'not here', detail: 'needs root, for a loop device and a mount namespace' };
  const folder = mkdtempSync(join(tmpdir(), 'concierge-self-test-'));
  const again = [process.execPath, ...process.execArgv, process.argv[1] ?? '', 'doctor', '--self-test', '--json', `--statedir=${folder}`];
  try {
    const { stdout } = await promisify(execFile)('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', loopScript, 'sh', folder, ...again], { timeout: 60_000 });
    return inner(stdout);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    if (stdout.trimStart().startsWith('{')) return inner(stdout);
    return { result: 'not here', detail: `a file system on a loop device cannot be made: ${stderr.trim().split('\n').at(-1) || messageOf(error)}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the program in the namespace says of its one trial. */
function inner(report: string): TrialOutcome {
  const { trials } = JSON.parse(report) as { readonly trials: readonly TrialOutcome[] };
  const [only] = trials;
  if (only === undefined) return { result: 'failed', detail: 'the program in the mount namespace said nothing' };
  const { result, detail, times } = only;
  return { result, detail: `a file system on a loop device: ${detail}`, ...(times !== undefined && { times }) };
}
