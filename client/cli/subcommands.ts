import type { SubcommandEntry } from './terminal.ts';

/** All that can be asked. Each is a file of its own, loaded when it is asked for. */
export const subcommands: readonly SubcommandEntry[] = [
  { name: 'info', usage: '', summary: 'The guest and its agent at a glance.', flags: [], load: () => import('./subcommands/info.ts') },
  { name: 'fs', usage: '', summary: 'File systems, their use and their disks.', flags: [], load: () => import('./subcommands/fs.ts') },
  { name: 'net', usage: '', summary: 'Network interfaces and addresses.', flags: [], load: () => import('./subcommands/net.ts') },
  { name: 'users', usage: '', summary: 'Who is logged in.', flags: [], load: () => import('./subcommands/users.ts') },
  { name: 'os', usage: '', summary: 'The operating system.', flags: [], load: () => import('./subcommands/os.ts') },
  {
    name: 'freeze', usage: '[--dry-run] [MOUNTPOINT...]', summary: 'Freezes file systems, all or those named. With --dry-run: what would happen.',
    flags: [{ name: 'dry-run' }], load: () => import('./subcommands/freeze.ts'),
  },
  { name: 'thaw', usage: '', summary: 'Thaws them.', flags: [], load: () => import('./subcommands/thaw.ts') },
  { name: 'status', usage: '', summary: 'Whether the guest is frozen, and what the last freeze did.', flags: [], load: () => import('./subcommands/status.ts') },
  {
    name: 'trim', usage: '[--minimum BYTES]', summary: 'Discards unused blocks of every file system.',
    flags: [{ name: 'minimum', placeholder: 'BYTES' }], load: () => import('./subcommands/trim.ts'),
  },
  {
    name: 'exec', usage: '[--stdin] [--within SECONDS] -- PROGRAM [ARGUMENT...]', summary: 'Runs a program, waits, and ends with its status (255: it could not be run).',
    flags: [{ name: 'stdin' }, { name: 'within', placeholder: 'SECONDS' }], load: () => import('./subcommands/exec.ts'),
  },
  {
    name: 'cp', usage: 'guest:PATH PATH | PATH guest:PATH', summary: 'Copies a file out of the guest or into it; - is standard output or input.',
    flags: [], load: () => import('./subcommands/cp.ts'),
  },
  { name: 'shell', usage: '', summary: 'A conversation: one command a line, with completion.', flags: [], load: () => import('./subcommands/shell.ts') },
  { name: 'raw', usage: "NAME ['{ARGUMENTS}']", summary: 'Any command with any arguments, as JSON; also one whole request.', flags: [], load: () => import('./subcommands/raw.ts') },
  {
    name: 'completion', usage: 'bash | zsh | fish', summary: 'The completion script for a shell.', flags: [], needsGuest: false,
    load: () => import('./subcommands/completion.ts'),
  },
];
