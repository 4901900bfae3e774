// SPDX-License-Identifier: Apache-2.0
import { connectHybridVsock, connectUnix } from '../connect.ts';
import { GuestClient, type ClientOptions } from '../guest-client.ts';
import type { CommandLine } from './command-line.ts';
import { isPattern } from './guest-list.ts';
import type { Environment } from './target.ts';
import { UsageError } from './usage-error.ts';

/** Ways to a guest, of which a command line names one; each with the variable that stands for it where none is named. */
const ways: readonly (readonly [flag: string, variable: string | undefined])[] = [
  ['socket', 'CONCIERGE_SOCKET'], ['vsock', undefined], ['via', 'CONCIERGE_VIA'], ['libvirt', 'CONCIERGE_LIBVIRT'], ['proxmox', 'CONCIERGE_PROXMOX'],
];

/** Opens the channel that the flags name. @throws UsageError, ClientError */
export async function channelOf({ flags, subcommand }: CommandLine, environment: Environment): Promise<GuestClient> {
  // That of `frozen` is for all of it, and not for each answer.
  const timeout = subcommand === 'frozen' ? undefined : flags.get('timeout');
  if (timeout !== undefined && !/^\d+(\.\d+)?$/.test(timeout)) throw new UsageError(`--timeout takes a number of seconds, not '${timeout}'`);
  const limits = timeout === undefined ? {} : { timeoutMs: Number(timeout) * 1000 };
  const [way, value] = wayOf(flags, environment);
  if (flags.has('connect') && way !== 'libvirt') throw new UsageError('--connect belongs to --libvirt NAME');
  for (const flag of ['url', 'token-file', 'fingerprint']) if (flags.has(flag) && way !== 'proxmox') throw new UsageError(`--${flag} belongs to --proxmox NODE/VMID`);
  switch (way) {
    case 'proxmox':
      return await ofProxmox(value, flags, environment, limits);
    case 'libvirt': {
      if (isPattern(value)) throw new UsageError(`one guest is meant here, and ${value} means several: --libvirt '${value}' is for these`);
      const { libvirtAgent } = await import('../libvirt/libvirt.ts');
      const uri = flags.get('connect') ?? environment['LIBVIRT_DEFAULT_URI'];
      return new GuestClient(libvirtAgent(value, uri === undefined || uri === '' ? {} : { uri }), limits);
    }
    case 'via':
      return await byProgram(value, limits);
    case 'vsock': {
      const [, path, port] = /^(.+):(\d+)$/.exec(value) ?? [];
      if (path === undefined) throw new UsageError(`--vsock takes the host's socket and a port, as in /run/vm.vsock:1024, not '${value}'`);
      return new GuestClient(await connectHybridVsock(path, Number(port)), limits);
    }
    default:
      return new GuestClient(await connectUnix(value), limits);
  }
}

function wayOf(flags: CommandLine['flags'], environment: Environment): readonly [way: string, value: string] {
  const found = wayNamed(flags, environment);
  if (found === undefined || found[1] === '') throw new UsageError('say which guest: --socket PATH (or CONCIERGE_SOCKET), --vsock PATH:PORT, --libvirt NAME, --proxmox NODE/VMID, --via COMMAND, or --guest NAME of a list');
  return found;
}

/** The one way that a command line means, or else the variables; `undefined` where nothing is said. @throws UsageError where two are named */
export function wayNamed(flags: CommandLine['flags'], environment: Environment): readonly [way: string, value: string] | undefined {
  const named = ways.filter(([flag]) => flags.has(flag)).map(([flag]) => [flag, flags.get(flag) ?? ''] as const);
  const [, other] = named;
  if (other !== undefined) throw new UsageError(`which guest is meant: ${named.map(([flag]) => `--${flag}`).join(' or ')}?`);
  const set = ways.flatMap(([flag, variable]) => {
    const value = variable === undefined ? undefined : environment[variable];
    return value === undefined || value === '' ? [] : [[flag, value] as const];
  });
  return named[0] ?? set.find(([flag]) => flag === 'via') ?? set[0];
}

async function byProgram(via: string, limits: ClientOptions): Promise<GuestClient> {
  const [{ byCommand }, { wordsOf }] = await Promise.all([import('../by-command.ts'), import('./typed-arguments.ts')]);
  const words = wordsOf(via);
  if (words.length === 0) throw new UsageError("--via takes a program and its arguments, as in 'virsh qemu-agent-command NAME'");
  return new GuestClient(byCommand(words), limits);
}

async function ofProxmox(guest: string, flags: CommandLine['flags'], environment: Environment, limits: ClientOptions): Promise<GuestClient> {
  const [{ proxmoxAgent }, { secretIn }] = await Promise.all([import('../proxmox/proxmox.ts'), import('./secret-file.ts')]);
  const [, node, vmid] = /^([^/]+)\/(\d+)$/.exec(guest) ?? [];
  if (node === undefined) throw new UsageError(`--proxmox takes a node and a guest of it, as in pve1/104, not '${guest}'`);
  const given = (flag: string, variable: string): string | undefined => flags.get(flag) ?? (environment[variable] === '' ? undefined : environment[variable]);
  const file = given('token-file', 'CONCIERGE_PROXMOX_TOKEN_FILE');
  const token = file === undefined ? environment['CONCIERGE_PROXMOX_TOKEN'] : await secretIn(file);
  if (token === undefined || token === '') throw new UsageError('an API token is needed: --token-file FILE, CONCIERGE_PROXMOX_TOKEN_FILE, or CONCIERGE_PROXMOX_TOKEN');
  const fingerprint = given('fingerprint', 'CONCIERGE_PROXMOX_FINGERPRINT');
  const url = given('url', 'CONCIERGE_PROXMOX_URL') ?? `https://${node}:8006`;
  return new GuestClient(proxmoxAgent({ url, node, vmid: Number(vmid), token, ...(fingerprint === undefined ? {} : { fingerprint }) }), limits);
}
