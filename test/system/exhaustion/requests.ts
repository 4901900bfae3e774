// SPDX-License-Identifier: Apache-2.0
import type { CommandName } from '../../../core/schema/index.ts';

/** Where everything is; private to the run. */
export const place = '/tmp/exhaustion';

export interface Request {
  readonly arguments?: object;
  /** Asked for before the machine runs out; `HANDLE` and `PID` in the arguments are what it answered. */
  readonly first?: { readonly execute: CommandName; readonly arguments: object };
  /** Success is silent. */
  readonly silent?: true;
}

const open = { execute: 'guest-file-open', arguments: { path: `${place}/file`, mode: 'w+' } } as const;
const program = { execute: '__org.concierge_exec-start', arguments: { path: 'cat', stdin: 'open' } } as const;
const onProgram = (rest: object = {}): Request => ({ first: program, arguments: { program: 'ANSWER', ...rest } });
const onHandle = (rest: object = {}): Request => ({ first: open, arguments: { handle: 'ANSWER', ...rest } });

/** Every command of the schema, with arguments that reach down to the system. */
export const requests: Readonly<Record<CommandName, Request>> = {
  'guest-sync-delimited': { arguments: { id: 1 } },
  'guest-sync': { arguments: { id: 2 } },
  'guest-ping': {},
  'guest-get-time': {},
  'guest-set-time': { arguments: { time: 1_700_000_000_000_000_000 } },
  'guest-info': {},
  'guest-shutdown': { arguments: { mode: 'powerdown' }, silent: true },
  'guest-file-open': open,
  'guest-file-close': onHandle(),
  'guest-file-read': { first: { execute: 'guest-file-open', arguments: { path: '/dev/zero' } }, arguments: { handle: 'ANSWER', count: 4 * 1024 * 1024 } },
  'guest-file-write': onHandle({ 'buf-b64': Buffer.alloc(300_000, 1).toString('base64') }),
  'guest-file-seek': onHandle({ offset: 0, whence: 'end' }),
  'guest-file-flush': onHandle(),
  'guest-fsfreeze-status': {},
  'guest-fsfreeze-freeze': {},
  'guest-fsfreeze-freeze-list': { arguments: { mountpoints: [`${place}/disk`] } },
  'guest-fsfreeze-thaw': {},
  'guest-fstrim': {},
  'guest-suspend-disk': { silent: true },
  'guest-suspend-ram': { silent: true },
  'guest-suspend-hybrid': { silent: true },
  'guest-network-get-interfaces': {},
  'guest-get-vcpus': {},
  'guest-set-vcpus': { arguments: { vcpus: [{ 'logical-id': 0, online: true }] } },
  'guest-get-disks': {},
  'guest-get-fsinfo': {},
  'guest-set-user-password': { arguments: { username: 'nobody', password: Buffer.from('secret').toString('base64'), crypted: false } },
  'guest-get-memory-blocks': {},
  'guest-set-memory-blocks': { arguments: { 'mem-blks': [{ 'phys-index': 999_999, online: true }] } },
  'guest-get-memory-block-info': {},
  'guest-exec-status': { first: { execute: 'guest-exec', arguments: { path: 'true' } }, arguments: { pid: 'ANSWER' } },
  'guest-exec': { arguments: { path: 'true', 'capture-output': true } },
  'guest-get-host-name': {},
  'guest-get-users': {},
  'guest-get-timezone': {},
  'guest-get-osinfo': {},
  'guest-get-devices': {}, 'guest-get-driver-packages': {}, 'guest-get-driver-services': {},
  'guest-ssh-get-authorized-keys': { arguments: { username: 'root' } },
  'guest-ssh-add-authorized-keys': { arguments: { username: 'root', keys: ['ssh-ed25519 AAAA test'] } },
  'guest-ssh-remove-authorized-keys': { arguments: { username: 'root', keys: ['ssh-ed25519 AAAA test'] } },
  'guest-get-diskstats': {},
  'guest-get-cpustats': {},
  'guest-get-load': {},
  'guest-network-get-route': {},
  '__org.concierge_fsfreeze-report': {},
  '__org.concierge_fsfreeze-plan': {},
  '__org.concierge_exec-start': { arguments: { path: 'true' } },
  '__org.concierge_exec-exchange': onProgram({ input: Buffer.from('text').toString('base64'), 'wait-ms': 0 }),
  '__org.concierge_exec-signal': onProgram({ signal: 'TERM' }),
  '__org.concierge_exec-resize': { first: { execute: '__org.concierge_exec-start', arguments: { path: 'cat', terminal: { rows: 24, columns: 80 } } }, arguments: { program: 'ANSWER', rows: 25, columns: 80 } },
  '__org.concierge_exec-list': {},
  '__org.concierge_exec-forget': onProgram(),
  '__org.concierge_generation': {},
};
