// SPDX-License-Identifier: Apache-2.0
import type { SubcommandEntry } from './terminal.ts';

/** All that can be asked. Each is a file of its own, loaded when it is asked for. */
export const subcommands: readonly SubcommandEntry[] = [
  { name: 'info', usage: '', summary: 'The guest and its agent at a glance.', flags: [], many: 'each', load: () => import('./subcommands/info.ts') },
  { name: 'fs', usage: '', summary: 'File systems, their use and their disks.', flags: [], many: 'each', load: () => import('./subcommands/fs.ts') },
  { name: 'net', usage: '', summary: 'Network interfaces and addresses.', flags: [], many: 'each', load: () => import('./subcommands/net.ts') },
  { name: 'users', usage: '', summary: 'Who is logged in.', flags: [], many: 'each', load: () => import('./subcommands/users.ts') },
  { name: 'os', usage: '', summary: 'The operating system.', flags: [], many: 'each', load: () => import('./subcommands/os.ts') },
  {
    name: 'freeze', usage: '[--dry-run] [MOUNTPOINT...]', summary: 'Freezes file systems, all or those named. With --dry-run: what would happen.',
    flags: [{ name: 'dry-run', doc: 'Touch nothing; tell what would be frozen, in which order, and what not.' }], words: Infinity,
    details: 'What is frozen stays so until `concierge-ctl thaw`, or the deadline of the guest; all that writes there waits. A dry run asks Concierge\'s agent for\nits plan; of any other agent it lists the file systems with a device of their own.', many: 'each', load: () => import('./subcommands/freeze.ts'),
  },
  {
    name: 'frozen', usage: '[--only MOUNTPOINT,...] [--timeout SECONDS] [--freeze-within SECONDS] -- COMMAND [ARGUMENT...]', summary: 'Freezes, runs a command of this host, and thaws in any case.',
    details: [
      'The guest is thawed when the command has ended, when the freeze or the command fails, when --timeout is over, and on SIGINT, SIGTERM and',
      'SIGHUP; if this program is killed, the guest thaws by its own deadline. Exit status: that of the command, where all was frozen from its',
      'beginning to its end, and 128 and the signal that ended it. Else, whatever the command said:',
      '  122  the freeze did not hold: a copy that was made is not consistent',
      '  123  the thaw could not be delivered: the guest stays frozen until its deadline',
      '  124  --timeout was over',
      '  125  the guest was not frozen, and the command not run',
      '  126  the command cannot be run',
      '  127  there is no such command',
    ].join('\n'),
    flags: [
      { name: 'only', placeholder: 'MOUNTPOINT,...', doc: 'Freeze only what is mounted there.' },
      { name: 'timeout', placeholder: 'SECONDS', doc: 'How long all of it may take, the freeze too. A command that is not done then is ended. No bound without.' },
      { name: 'freeze-within', placeholder: 'SECONDS', doc: 'How long a guest may take to freeze; 600 without, and 60 where several are frozen: the others stand still meanwhile.' },
    ],
    words: Infinity, many: 'together', load: () => import('./subcommands/frozen.ts'),
  },
  { name: 'thaw', usage: '', summary: 'Thaws every frozen file system.', flags: [], many: 'each', load: () => import('./subcommands/thaw.ts') },
  { name: 'status', usage: '', summary: 'Whether the guest is frozen, and what the last freeze did.', flags: [], many: 'each', load: () => import('./subcommands/status.ts') },
  {
    name: 'trim', usage: '[--minimum BYTES]', summary: 'Discards unused blocks of every file system.',
    flags: [{ name: 'minimum', placeholder: 'BYTES', doc: 'Leave free ranges of fewer bytes alone.' }], many: 'each', load: () => import('./subcommands/trim.ts'),
  },
  {
    name: 'exec', usage: '[-i] [-t] [-u USER] [-w DIRECTORY] [-e NAME=VALUE] [--within SECONDS] -- PROGRAM [ARGUMENT...]', summary: 'Runs a program, and ends with its status (255: it could not be run).',
    details: [
      'Exit status: the program\'s own; 128 and the signal that ended it; 124 when it has not ended within --within (it goes on in the guest, but is',
      'ended with -i, -t, -u, -w or -e); 255 when it could not be run, or the guest could not be asked.',
      '-i passes standard input on as it comes, and -t gives the program a terminal: all keys are the program\'s then, Ctrl-C among them, and what it',
      'writes has its effect on this terminal. Enter ~ . hangs it up and ends. A connection that is lost is taken up again. -i, -t, -u, -w and -e need',
      'an agent that talks with programs while they run; guest-exec does the rest.',
    ].join('\n'),
    flags: [
      { name: 'interactive', letter: 'i', doc: 'Pass standard input on while the program runs.' },
      { name: 'tty', letter: 't', doc: 'Give it a terminal; standard input must be one.' },
      { name: 'user', letter: 'u', placeholder: 'USER', doc: 'Run it as this user of the guest.' },
      { name: 'workdir', letter: 'w', placeholder: 'DIRECTORY', doc: 'Start it in this directory.' },
      { name: 'env', letter: 'e', placeholder: 'NAME=VALUE', isList: true, doc: 'Set a variable of its environment, NAME alone removes one; may be repeated.' },
      { name: 'stdin', doc: 'Give the program what comes on standard input, read to its end first.' },
      { name: 'within', placeholder: 'SECONDS', doc: 'How long it may take; for ever without.' },
    ],
    words: Infinity, many: 'each', load: () => import('./subcommands/exec.ts'),
  },
  {
    name: 'login', usage: '[USER]', summary: 'A login shell of that user (root without) on a terminal, by su(1).',
    details: 'Enter ~ . hangs it up and ends.', flags: [], words: 1, load: () => import('./subcommands/login.ts'),
  },
  { name: 'ps', usage: '', summary: 'Programs that are talked with, and those that have ended of which something is left.', details: 'USER is (agent) where none was named: the program is the agent\'s own.', flags: [], many: 'each', load: () => import('./subcommands/ps.ts') },
  {
    name: 'kill', usage: '[-s SIGNAL] PROGRAM', summary: 'Sends a signal to a program of ps, SIGTERM without -s.',
    flags: [{ name: 'signal', letter: 's', placeholder: 'SIGNAL', doc: 'Its name, such as HUP, or its number in the guest.' }, { name: 'group', doc: 'To its whole process group.' }],
    words: 1, load: () => import('./subcommands/kill.ts'),
  },
  {
    name: 'logs', usage: '[-f] PROGRAM', summary: 'What is kept of the output of a program of ps.',
    details: 'Without -f nothing of it is forgotten, and at most 1 MiB of each stream is shown. With -f it is followed to its end, and the agent forgets what was shown.',
    flags: [{ name: 'follow', letter: 'f', doc: 'Go on until the program ends; exit status as of exec.' }],
    words: 1, load: () => import('./subcommands/logs.ts'),
  },
  {
    name: 'cp', usage: '[-r] guest:PATH PATH | [-r] PATH guest:PATH', summary: 'Copies a file or, with -r, a folder out of the guest or into it; - is standard output or input.',
    details: 'A file here gets its name when all of it is there. One that is replaced keeps its mode and is asked about where somebody can be asked.\nThe protocol knows nothing of the mode of a file in the guest.\nWith -r a folder appears when all of it is there, with owners (as root), modes, times, links and holes: both sides need tar. It goes into a folder\nthat is there, under its own name, and replaces nothing. Links that lead out of a folder of the guest and device files are left out; exit status 1\nsays that something was.',
    flags: [
      { name: 'mode', placeholder: 'OCTAL', doc: 'Mode of the file here, such as 600.' },
      { name: 'force', doc: 'Replace a file here without asking.' },
      { name: 'max-size', placeholder: 'BYTES', doc: 'End a copy out of the guest that becomes larger, such as 500M or 2G; no bound without.' },
      { name: 'recursive', letter: 'r', doc: 'Copy a folder with all that is in it.' },
      { name: 'any-links', doc: 'With -r: also links of the guest that lead out of the folder.' },
      { name: 'devices', doc: 'With -r: also device files.' },
    ],
    words: 2, load: () => import('./subcommands/cp.ts'),
  },
  {
    name: 'tunnel', usage: '[BIND:]PORT:HOST:HOSTPORT...', summary: 'Passes connections with ports of this host on to what the guest reaches, until a signal ends it.',
    details: [
      'It listens at the loopback address, or at BIND (* is all), and the guest connects to HOST:HOSTPORT for each connection, as ssh -L has it. An address of',
      'IPv6 stands in brackets: [::1]:8080:localhost:80. PORT 0 is any that is free. The guest needs perl, python3,',
      'socat or busybox, and an agent that talks with programs while they run.',
      '  concierge-ctl tunnel 8080:localhost:80 5432:db:5432',
    ].join('\n'),
    flags: [], words: Infinity, load: () => import('./subcommands/tunnel.ts'),
  },
  {
    name: 'wait', usage: '[--for agent,ip,time] [--within SECONDS]', summary: 'Waits until the agent answers, the guest has an address, its clock is right.',
    details: 'An address is one that others could reach, neither loopback nor link-local; all of them are printed. A clock is right that differs by less than 5 s\nfrom that of this host. Exit status 4 where it is not so within --within.',
    flags: [{ name: 'for', placeholder: 'agent,ip,time', doc: 'What to wait for; the agent without.' }, { name: 'within', placeholder: 'SECONDS', doc: 'How long; 300 without.' }],
    opensItself: true, many: 'each', load: () => import('./subcommands/wait.ts'),
  },
  {
    name: 'metrics', usage: '[--output FILE | --listen PORT]', summary: 'File systems, load, processors, disks, network and the agent itself, as OpenMetrics.',
    details: [
      'For Prometheus: a file that appears whole, in the directory of node_exporter\'s textfile collector, or an answer to whoever asks for /metrics, until a',
      'signal ends it. A guest that does not answer is told of by concierge_guest_up 0, and is no failure.',
    ].join('\n'),
    flags: [
      { name: 'output', placeholder: 'FILE', doc: 'Write to this file, all at once, instead of standard output.' },
      { name: 'listen', placeholder: 'PORT', doc: 'Tell whoever asks this port of the loopback address, or ADDRESS:PORT; guests are asked then.' },
    ],
    opensItself: true, many: 'together', load: () => import('./subcommands/metrics.ts'),
  },
  {
    name: 'guests', usage: '', summary: 'The names of the list of guests.',
    details: 'A list has groups with a name in brackets, [vm7], and in them the flags that lead to the guest, such as libvirt=vm7 or socket=/run/vm7.sock.\nWith --libvirt a pattern: the domains of these names that run.',
    flags: [], needsGuest: false, load: () => import('./subcommands/guests.ts'),
  },
  { name: 'shell', usage: '', summary: 'A conversation: one command or subcommand a line, with completion.', flags: [], load: () => import('./subcommands/shell.ts') },
  {
    name: 'raw', usage: "NAME ['{ARGUMENTS}']", summary: 'Any command with any arguments, as JSON; also one whole request.',
    details: [
      'Numbers are sent digit by digit as they are typed. The answer is printed as it came.',
      '  concierge-ctl raw guest-get-osinfo',
      "  concierge-ctl raw guest-file-open '{\"path\": \"/etc/hostname\", \"mode\": \"r\"}'",
      "  concierge-ctl raw '{\"execute\": \"guest-fsfreeze-freeze-list\", \"arguments\": {\"mountpoints\": [\"/data\"]}}'",
    ].join('\n'),
    flags: [], words: 2, many: 'each', load: () => import('./subcommands/raw.ts'),
  },
  {
    name: 'verify', usage: '[--idle SECONDS]', summary: 'Tries how the agent takes hosts that come, go, are late or do not read; for a report.',
    details: 'Reconnects, 1000 pings, an answer that comes too late, a host that never reads, an idle minute. Changes nothing in the guest.',
    flags: [{ name: 'idle', placeholder: 'SECONDS', doc: 'How long to be idle; 60 without it.' }], load: () => import('./subcommands/verify.ts'),
  },
  {
    name: 'completion', usage: 'bash | zsh | fish', summary: 'The completion script for a shell.', flags: [], words: 1, needsGuest: false,
    load: () => import('./subcommands/completion.ts'),
  },
];
