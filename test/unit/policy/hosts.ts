// SPDX-License-Identifier: Apache-2.0

/** Something that a host does, and what it sends for it. */
export interface HostHabit {
  readonly host: string;
  readonly does: string;
  readonly sends: readonly (readonly [command: string, args?: object])[];
  /** Of concierge-ctl: command lines that are run as they are. */
  readonly words?: readonly (readonly string[])[];
}

const path = '/etc/hostname';
const exec = [['guest-exec', { path: '/bin/x' }], ['guest-exec-status', { pid: 1 }]] as const;
const keys = { username: 'root', keys: ['ssh-ed25519 AAAA x'] };
const password = ['guest-set-user-password', { username: 'root', password: 'YQ==', crypted: false }] as const;
const suspend = [['guest-suspend-ram'], ['guest-suspend-disk'], ['guest-suspend-hybrid']] as const;
const names = (...commands: readonly string[]): readonly (readonly [string])[] => commands.map((command) => [command]);
const facts = names('guest-get-users', 'guest-get-osinfo', 'guest-get-timezone', 'guest-get-host-name', 'guest-get-fsinfo', 'guest-network-get-interfaces');

/** In the order of the table in docs/policy.md. */
export const hostHabits: readonly HostHabit[] = [
  { host: 'libvirt', does: 'connects, `qemu-agent-command` of what is allowed', sends: [['guest-sync', { id: 1 }], ...names('guest-ping', 'guest-info')] },
  { host: 'libvirt', does: '`guestinfo`, `domfsinfo`, `domifaddr --source agent`, `domtime`, `guestvcpus`', sends: [...facts, ...names('guest-get-disks', 'guest-get-load', 'guest-get-time', 'guest-get-vcpus')] },
  { host: 'libvirt', does: '`domfsfreeze`, `domfsthaw`, snapshots with `--quiesce`', sends: [['guest-fsfreeze-freeze-list', { mountpoints: ['/'] }], ...names('guest-fsfreeze-freeze', 'guest-fsfreeze-thaw')] },
  { host: 'libvirt', does: '`domfstrim`', sends: [['guest-fstrim', { minimum: 0 }]] },
  { host: 'libvirt', does: '`shutdown`, `reboot` with `--mode agent`', sends: [['guest-shutdown', { mode: 'powerdown' }]] },
  { host: 'libvirt', does: '`dompmsuspend`', sends: suspend },
  { host: 'libvirt', does: '`domtime --sync`, `setvcpus --guest`', sends: [['guest-set-time', {}], ['guest-set-vcpus', { vcpus: [{ 'logical-id': 0, online: true }] }]] },
  {
    host: 'libvirt', does: '`set-user-password`, `get-user-sshkeys`, `set-user-sshkeys`',
    sends: [password, ['guest-ssh-get-authorized-keys', { username: 'root' }], ['guest-ssh-add-authorized-keys', keys], ['guest-ssh-remove-authorized-keys', keys]],
  },
  {
    host: 'Proxmox VE', does: 'state and addresses in the web interface, `qm agent … get-*`',
    sends: [['guest-sync-delimited', { id: 1 }], ...facts, ...names('guest-ping', 'guest-info', 'guest-get-time', 'guest-get-vcpus', 'guest-get-memory-blocks', 'guest-get-memory-block-info')],
  },
  { host: 'Proxmox VE', does: 'backups and snapshots that freeze', sends: names('guest-ping', 'guest-fsfreeze-status', 'guest-fsfreeze-freeze', 'guest-fsfreeze-thaw') },
  { host: 'Proxmox VE', does: 'trimming after a clone or migration', sends: names('guest-fstrim') },
  { host: 'Proxmox VE', does: 'shutting down by the agent, `qm agent … suspend-*`', sends: [['guest-shutdown', {}], ...suspend] },
  { host: 'Proxmox VE', does: '`qm guest passwd`', sends: [password] },
  { host: 'Proxmox VE', does: '`qm guest exec`, `file-read`, `file-write` of the API', sends: [...exec, ['guest-file-open', { path }], ['guest-file-read', { handle: 1 }], ['guest-file-close', { handle: 1 }]] },
  { host: 'OpenStack Nova', does: 'quiesced snapshots', sends: names('guest-fsfreeze-freeze', 'guest-fsfreeze-thaw') },
  { host: 'OpenStack Nova', does: 'the clock after resuming, the administrator\'s password', sends: [['guest-set-time', {}], password] },
  { host: 'oVirt', does: 'all facts', sends: [...facts, ...names('guest-info', 'guest-get-disks', 'guest-get-vcpus')] },
  { host: 'KubeVirt', does: 'facts, freezing around snapshots', sends: [...facts, ...names('guest-info', 'guest-fsfreeze-status', 'guest-fsfreeze-freeze', 'guest-fsfreeze-thaw')] },
  { host: 'KubeVirt', does: 'takes the agent for a supported one', sends: [...facts, ...names('guest-ping', 'guest-get-time', 'guest-info', 'guest-shutdown')] },
  { host: 'KubeVirt', does: 'SSH keys and passwords of `accessCredentials`', sends: [['guest-ssh-add-authorized-keys', keys], password] },
  { host: 'KubeVirt', does: 'probes by programs', sends: exec },
  {
    host: '`concierge-ctl`', does: '`info`, `os`, `fs`, `net`, `users`, `status`, `metrics`, `wait`, `freeze --dry-run`',
    sends: [...facts, ...names('guest-info', 'guest-get-time', 'guest-get-load', 'guest-get-cpustats', 'guest-get-diskstats', 'guest-fsfreeze-status', '__org.concierge_fsfreeze-report', '__org.concierge_fsfreeze-plan')],
    words: [['info'], ['os'], ['fs'], ['net'], ['users'], ['status'], ['metrics'], ['wait'], ['freeze', '--dry-run']],
  },
  {
    host: '`concierge-ctl`', does: '`freeze`, `thaw`, `frozen`', sends: names('guest-fsfreeze-freeze', 'guest-fsfreeze-thaw', 'guest-fsfreeze-status', '__org.concierge_fsfreeze-report'),
    words: [['freeze'], ['thaw'], ['frozen', '--', '/bin/true']],
  },
  { host: '`concierge-ctl`', does: '`trim`', sends: names('guest-fstrim'), words: [['trim']] },
  { host: '`concierge-ctl`', does: '`exec`, `shell` with `exec`, `login`, `ps`, `kill`, `logs`, `tunnel`, `cp -r`', sends: [['__org.concierge_exec-start', { path: '/bin/x' }], ['__org.concierge_exec-list'], ...exec], words: [['exec', '--', '/bin/x'], ['ps']] },
  { host: '`concierge-ctl`', does: '`cp`', sends: [['guest-file-open', { path }]], words: [['cp', `guest:${path}`, '-']] },
];
