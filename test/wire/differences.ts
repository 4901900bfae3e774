// SPDX-License-Identifier: Apache-2.0
import type { GoldenLine } from './golden.ts';
import { pythonJson } from './lib/python-json.ts';

/**
 * Where Concierge answers otherwise than the recording. The reason is the row `row` of docs/differences.md: a test holds
 * the two together.
 */
export interface Difference {
  /** Anchor of the row. */
  readonly row: string;
  /** What Concierge answers, where that can be said line by line; absent: the recording's own. */
  readonly responses?: readonly GoldenLine[];
  readonly after_ping?: readonly GoldenLine[];
  readonly after_sync?: readonly GoldenLine[];
}

const answer = (row: string, ...responses: readonly GoldenLine[]): Difference => ({ row, responses });
const failure = (row: string, desc: string): Difference => answer(row, pythonJson({ error: { class: 'GenericError', desc } }));

const verbatim = (id: string): Difference => answer('numeric-id', `{"return": {}, "id": ${id}}`);
const unknownPid = (pid: string): Difference => failure('unknown-pid', `PID ${pid} does not exist`);

/** The kernel's members are put in by the replay. */
const osInfo = (before: string, between: string, after: string): Difference => {
  const kernel = ['"kernel-release": ""', ...(between === '' ? [] : [between]), '"kernel-version": ""', '"machine": ""'];
  const members = [...(before === '' ? [] : [before]), ...kernel, ...(after === '' ? [] : [after])];
  return answer('os-release', `{"return": {${members.join(', ')}}}`);
};

/** A start that fails, with all that is said. `$EXE` and `$TMP` are put in by the replay. */
const refused = (...lines: readonly string[]): Difference =>
  answer('start-error', pythonJson({ exit: 1, stdout: '', stderr: lines.map((line) => `$EXE: ${line}\n`).join('') }));

const ends = (row: string, exit: number, stdout: string, stderr = ''): Difference => answer(row, pythonJson({ exit, stdout, stderr }));
const runs = (row: string, more: object): Difference => answer(row, pythonJson({ running: true, exit_on_TERM: 0, stdout: '', stderr: '', ...more }));
const product = ends('product-line', 0, 'Concierge Guest Agent 0.1.0 (compatible with QEMU Guest Agent 11.1)\n');
const help = (stderr = ''): Difference => answer('product-line', {
  head: pythonJson({ exit: 0, stdout: 'Usage: $EXE [-m <method> -p <path>] [<options>]\n       $EXE <command> [<options>]\nConcierge Guest Agent 0.1.0 ' }).slice(0, -2),
  tail: pythonJson({ stderr }).slice(1),
});
const misused = (complaint: string): Difference => ends('complaint-once', 1, "Unknown option, try '$EXE --help' for more information.\n", `$EXE: ${complaint}\n`);
const noPath = (method: string, path = 'PATH'): Difference => refused(`must specify a path for this channel (--method=${method} has no default: add --path=${path})`);
const noMethod = (method: string): Difference => refused(`must specify a path for this channel: no method is named '${method}': there are unix-listen, virtio-serial, isa-serial, vsock-listen`);
const unread = (path: string, reason: string): Difference => refused(`error loading configuration from path: $TMP/cli${path}, ${reason}`);
const missing = (path: string, port: string): Difference => refused(`error opening channel '${path}': No such file or directory (${advice(port)})`);
const advice = (port: string): string => `this machine has no such ${port} port: add one on the host; with --retry-path the agent waits for it`;

const opened = (row: string, first: string): Difference =>
  answer(row, pythonJson({ open: [`{"return": ${first}}`, `{"return": ${BigInt(first) + 1n}}`], 'state after': `[global]\nfd_counter=${BigInt(first) + 2n}\n`, alive: true }));
/** The damaged file is kept, and handles go on from the time in microseconds. */
const damaged = answer('damaged-state', pythonJson({ open: ['{"return": NOW}', '{"return": NOW}'], 'state after': '[global]\nfd_counter=NOW\n', alive: true, kept: true }));
const keyFile = (...keys: readonly string[]): Difference =>
  answer('key-file', `'${keys.map((key) => `${key}\\n`).join('')}' mode 600 owner-is-user True dir 700 dir-owner-is-user True`);
const [firstKey, secondKey, thirdKey] = ['ssh-ed25519 AAAAC3Nza one@x', 'ssh-rsa AAAAB3Nza two', 'ecdsa-sha2-nistp256 AAAA'];
const oddKeys = keyFile(firstKey, thirdKey, ' ssh-rsa AAA', 'ssh-rsa A', 'ssh-rsa', '!!', '\\tx');

const unknownMountPoint = (path: string): Difference => failure('unknown-mount-point', `failed to freeze ${path}: no file system is mounted there`);

/** Key: group and name of the recording. */
export const differences: Readonly<Record<string, Difference>> = {
  'dispatch/id-float-int': verbatim('1.0'),
  'dispatch/id-exp': verbatim('1e3'),
  'dispatch/id-neg-zero-float': verbatim('-0.0'),
  'dispatch/id-small': verbatim('1e-7'),
  'dispatch/id-pi': verbatim('3.141592653589793'),
  'dispatch/id-overflow': verbatim('1e400'),
  'dispatch/id-on-parse-error': failure('error-place', '1:33: JSON parse error, expecting key'),
  'numbers/exec-status pid=one': unknownPid('1'),
  'numbers/exec-status pid=neg': unknownPid('-1'),
  'numbers/exec-status pid=neg-zero': unknownPid('0'),
  'numbers/exec-status pid=max': unknownPid('9223372036854775807'),
  'numbers/exec-status pid=min': unknownPid('-9223372036854775808'),
  'numbers/exec-status pid=2^53': unknownPid('9007199254740992'),
  'numbers/exec-status pid=2^53+1': unknownPid('9007199254740993'),
  'args/ping-two-extra': failure('undeclared-member', "Parameter 'foo' is unexpected"),

  'file/probe: size on disk before flush': answer('write-through', '13'),
  'file/nul in path': answer('nul-in-path', {
    head: `{"error": {"class": "GenericError", "desc": "failed to open file '`,
    tail: `files/x\\u0000y' (mode: 'w'): the path has a zero byte"}}`,
  }),
  'file/probe: permissions of new file': answer('file-mode', '0o644'),
  'file/probe: name of that file': answer('nul-in-path', ''),

  'exec/status again': answer('exec-asked-again', '{"return": {"exitcode": 0, "exited": true}}'),
  'exec/process group status': answer(
    'exec-session',
    "pgid is the agent's: False, session is the agent's: False, SigBlk: 0000000000000000 SigIgn: 0000000000000000 0022",
  ),
  'exec/grandchild holds stdout: status at 0.3s': answer(
    'exec-grandchild',
    '{"return": {"exitcode": 0, "out-data": "cGFyZW50LWRvbmUK", "out-truncated": false, "exited": true}}',
  ),

  'commands/osinfo-single-quoted': osInfo('"name": "It is"', '"pretty-name": "a b"', '"id": "x y"'),
  'commands/osinfo-trailing-comment': osInfo('"name": "Q"', '"version": "unterminated"', '"id": "deb"'),
  'commands/osinfo-no-equals': osInfo('', '', '"id": "x"'),
  'commands/osinfo-section': osInfo('"name": "b"', '', '"id": "a"'),
  'commands/osinfo-invalid-utf8': osInfo('"name": "caf\\uFFFD"', '', '"id": "x"'),

  'cli/-V': product,
  'cli/--version': product,
  'cli/prefix --vers': product,
  'cli/empty environment': product,
  'cli/-h': help(),
  'cli/--help': help(),
  'cli/help wins over later bad option': help("$EXE: unrecognized option '--bogus'\n"),
  'cli/bad option before help': misused("unrecognized option '--bogus'"),
  'cli/unknown short': misused("invalid option -- 'Z'"),
  'cli/-b help': answer('own-commands', {
    head: pythonJson({ exit: 0, stdout: 'guest-sync-delimited\nguest-sync\n' }).slice(0, -2),
    tail: pythonJson({ stdout: 'guest-network-get-route\n__org.concierge_fsfreeze-report\n__org.concierge_fsfreeze-plan\n__org.concierge_exec-start\n__org.concierge_exec-exchange\n__org.concierge_exec-signal\n__org.concierge_exec-resize\n__org.concierge_exec-list\n__org.concierge_exec-forget\n__org.concierge_generation\n', stderr: '' }).slice('{"stdout": "'.length),
  }),
  'cli/no arguments': missing('/dev/virtio-ports/org.qemu.guest_agent.0', 'virtio-serial'),
  'cli/bad method': refused('unsupported channel method/type: bogus (use one of unix-listen, virtio-serial, isa-serial, vsock-listen)'),
  'cli/bad method no path': noMethod('bogus'),
  'cli/unix-listen no path': noPath('unix-listen'),
  'cli/vsock-listen no path': noPath('vsock-listen', 'CID:PORT'),
  'cli/vsock-listen 1:1234': refused('Failed to bind socket: Cannot assign requested address (1 is no CID of this machine: 4294967295 stands for whichever it has)'),
  'cli/isa-serial missing': missing('$TMP/cli/nodev', 'serial'),
  'cli/virtio-serial missing': missing('$TMP/cli/nodev', 'virtio-serial'),
  'cli/virtio-serial on a regular file': { ...refused("error opening channel '/etc/hostname': it is no character device"), row: 'no-device' },
  'cli/retry-path with missing device': runs('retry', {
    stderr: `TIME: warning: error opening channel '$TMP/cli/nodev': No such file or directory (${advice('virtio-serial')}); trying again until it works\n`,
  }),
  'cli/sock path is a regular file': {
    ...refused('Failed to bind socket to $TMP/cli/regular: there is a file that is no socket; remove it or choose another path'),
    row: 'socket-path',
  },
  'cli/sock path is a directory': refused('Failed to unlink socket $TMP/cli/adir: Is a directory'),
  'cli/statedir is an existing file': refused('unable to access state file at path $TMP/cli/afile/qga.state.isfrozen: Not a directory'),
  'cli/state file garbage': damaged,
  'cli/state file no-group': damaged,
  'cli/state file wrong-group': damaged,
  'cli/state file not-int': damaged,
  'cli/state file huge': damaged,
  'cli/state file int32max': opened('handle-counter', '2147483647'),
  'cli/state file over-int32': opened('handle-counter', '2147483648'),
  'cli/logfile unwritable': refused("unable to open specified log file '$TMP/cli/no/such/log': No such file or directory"),
  'cli/socket permissions': runs('socket-mode', { probe: '0o600' }),
  'cli/-- ends options': { ...refused("there is no command '-V': there are freeze, doctor, thaw, policy, service, vss, backends, kit"), row: 'ignored-words' },
  'cli/-D unix-listen no path': noPath('unix-listen'),
  'cli/-D bad method': noMethod('bogus'),
  'cli/conf bool yes': unread('/conf', 'Key file contains key “daemon” which has a value that cannot be interpreted. (it takes true or false)'),
  'cli/conf no group': unread('/conf', 'Key file does not start with a group'),
  'cli/conf latin1 path': unread('/conf', 'Key file contains key “path” with value “/\ufffd” which is not UTF-8'),
  'cli/conf missing -c': unread('/nonexist', 'No such file or directory'),
  'cli/conf is a directory': unread('', 'Not a regular file'),
  'cli/conf is a directory QGA_CONF': unread('', 'Not a regular file'),
  'cli/-c twice': unread('/conf', 'Key file contains line “nonsense” which is not a key-value pair, group, or comment'),
  'cli/config loaded before -V': unread('/nonexist', 'No such file or directory'),
  'cli/config loaded before bad option': refused(
    "unrecognized option '--bogus'",
    'error loading configuration from path: $TMP/cli/nonexist, No such file or directory',
  ),

  'lifecycle/partial request, then new connection': answer('parser-reset', '{"return": {}}'),
  'lifecycle/then 0xFF + sync-delimited': {
    row: 'error-place',
    // The replay has sent a request and a synchronisation to this connection, and nobody else's bytes count.
    responses: [`{"error": {"class": "GenericError", "desc": "3:1: JSON parse error, stray '\\uFFFD'"}}`, '\xff{"return": 770004}'],
  },
  'lifecycle/request continued over two connections': answer(
    'parser-reset',
    '{"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}',
    '{"error": {"class": "GenericError", "desc": "1:13: JSON parse error, expecting value"}}',
  ),
  'lifecycle/second client while first is connected': answer('several-clients', '{"return": {}}'),
  'lifecycle/how many clients can queue': answer('several-clients', '8 served'),
  'lifecycle/client does not read a 1.4 MB answer: cpu': answer('slow-host', 'idle'),
  'lifecycle/SIGTERM while blocked on a slow reader': answer('slow-host', 'exit 0'),
  'lifecycle/second agent on the same socket path': answer(
    'socket-path',
    '{"return": {}}',
    'second: exit 1, $EXE: Failed to bind socket to PATH: process PID (concierge-ga) is answering there; stop it or choose another path',
  ),
  'lifecycle/stderr with -v: connect, ping, exec': answer(
    'log-lines',
    'TIME: debug: Concierge 0.1.0 (compatible with QEMU Guest Agent 11.1) started',
    'TIME: debug: serving unix-listen {dir}/s',
    'TIME: debug: unix-listen {dir}/s: process PID of user UID is here',
    'TIME: info: guest-exec called: "/bin/echo"',
    'TIME: debug: unix-listen {dir}/s: process PID of user UID has gone',
    'TIME: debug: ending: SIGTERM',
  ),
  'lifecycle/second daemon, same pidfile': answer(
    'daemon-failure',
    pythonJson({ exit: 1, stdout: '', stderr: '$EXE: Cannot lock pid file: Resource temporarily unavailable (process PID has $TMP/daemon/pid)\n' }),
    'pidfile still there: True',
  ),
  'lifecycle/second daemon that fails to start, same pidfile': answer('pid-file', '{"exit": 1}', 'pidfile of the first still there: True'),
  'lifecycle/daemon SIGTERM': answer('socket-removed', 'pidfile left: False', 'socket left: False'),
  'lifecycle/pidfile in a missing directory': answer(
    'daemon-failure',
    pythonJson({ exit: 1, stdout: '', stderr: "$EXE: Could not create '$TMP/nodir/pid': No such file or directory\n" }),
  ),
  'lifecycle/isa-serial pty hangup': answer('channel-lost', 'exit 1'),
  'lifecycle/virtio-serial pty hangup': answer('virtio-hangup', 'still running, idle'),
  'lifecycle/socket activation with 2 fds': answer('start-error', 'exit 1', '$EXE: qemu-ga only supports listening on one socket\n'),

  'users/NUL in password': failure('nul-in-password', 'forbidden characters in raw password'),
  'users/probe: NUL password': answer('nul-in-password', 'matches "ab": False'),
  'users/ssh get, no user': failure('unknown-ssh-user', "failed to lookup user 'no-such-user-x': user not found"),
  'users/ssh get, empty user': failure('unknown-ssh-user', "failed to lookup user '': user not found"),
  'users/ssh add, no user': failure('unknown-ssh-user', "failed to lookup user 'no-such-user-x': user not found"),
  'users/probe: after add': keyFile(firstKey, secondKey),
  'users/probe: after add same': keyFile(firstKey, secondKey),
  'users/probe: after add dup': keyFile(firstKey, secondKey, thirdKey),
  'users/probe: after add empty list': keyFile(firstKey, secondKey, thirdKey),
  'users/probe: after remove': keyFile(firstKey, thirdKey),
  'users/probe: after odd keys': oddKeys,
  'users/probe: after bad second': oddKeys,
  'users/probe: after reset': keyFile(secondKey),

  'freeze/while frozen: guest-info enabled list': answer(
    'own-commands',
    '["__org.concierge_fsfreeze-report", "__org.concierge_generation", "guest-fsfreeze-status", "guest-fsfreeze-thaw", "guest-info", "guest-ping", "guest-sync", "guest-sync-delimited"]',
  ),
  'freeze/freeze-list mixed unknown': unknownMountPoint('/nope'),
  'freeze/thaw mixed': answer('unknown-mount-point', '{"return": 0}'),
  'freeze/freeze-list trailing slash': answer('mount-point-spelling', '{"return": 1}'),
  'freeze/trailing slash: status': answer('mount-point-spelling', '{"return": "frozen"}'),
  'freeze/thaw trailing': answer('mount-point-spelling', '{"return": 1}'),
  'freeze/freeze-list subdir': unknownMountPoint('/mnt/q/ext4/lost+found'),
  'freeze/freeze-list by the second mount point of a device': answer('any-mount-point', '{"return": 1}'),
  'freeze/bind: status': answer('any-mount-point', '{"return": "frozen"}'),
  'freeze/freeze-list with an over-mounted mount point': failure(
    'covered-mounts', 'failed to freeze /mnt/q/with space: the file system there is covered by another mount',
  ),
  'freeze/fstrim with a hidden mount point': answer(
    'covered-sizes',
    '{"return": {"paths": [{"minimum": 4096, "path": "/mnt/q/xfs", "trimmed": 335544320}, {"minimum": 0, "path": "/mnt/q/with space", "trimmed": 26449920}, {"path": "/mnt/q/p/in", "error": "failed to trim: other mounts cover every place where it is mounted"}, {"minimum": 4096, "path": "/mnt/q/btrfs", "trimmed": 25264128}]}}',
  ),
  'freeze/freeze all with a hidden mount point': answer('covered-mounts', '{"return": 3}'),
  'freeze/hidden: status': answer('covered-mounts', '{"return": "frozen"}'),
  'freeze/SIGTERM while frozen': answer('ends-thawed', 'exit 0'),
  'freeze/thaw at the end': answer('ends-thawed', '{"return": 0}'),

  // Against qemu-ga 7.2 and 11.1, on the same machine: the command and the place in its answer.
  'differential/guest-info return.version': { row: 'version-text' },
  'differential/guest-info return.supported_commands[] name="guest-get-load" only ours': { row: 'newer-release' },
  'differential/guest-info return.supported_commands[] name="guest-network-get-route" only ours': { row: 'newer-release' },
  'differential/guest-info return.supported_commands[] name="guest-get-devices" only theirs': { row: 'newer-release' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_fsfreeze-report" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_fsfreeze-plan" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_exec-start" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_exec-exchange" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_exec-signal" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_exec-resize" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_exec-list" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_exec-forget" only ours': { row: 'own-commands' },
  'differential/guest-info return.supported_commands[] name="__org.concierge_generation" only ours': { row: 'own-commands' },
  'differential/guest-get-devices error.desc': { row: 'newer-release' },
  'differential/guest-get-load return only ours': { row: 'newer-release' },
  'differential/guest-get-load error only theirs': { row: 'newer-release' },
  'differential/guest-network-get-route return only ours': { row: 'newer-release' },
  'differential/guest-network-get-route error only theirs': { row: 'newer-release' },
  'differential/guest-network-get-route return[].flags': { row: 'route-flags' },
  ...Object.fromEntries(['load1m', 'load5m', 'load15m'].map((name) => [`differential/guest-get-load return.${name}`, { row: 'load-decimals' }])),
  'differential/guest-network-get-interfaces return[].statistics only ours': { row: 'interface-statistics' },
  'differential/guest-get-fsinfo return[].total-bytes-privileged only ours': { row: 'newer-release' },
  'differential/guest-get-fsinfo return[].disk[].serial only ours': { row: 'serial-without-udev' },
  'differential/guest-get-disks return[].address.serial only ours': { row: 'serial-without-udev' },
  'differential/guest-get-disks return[].address.bus': { row: 'virtio-scsi-address' },
  'differential/guest-get-disks return[].address.target': { row: 'virtio-scsi-address' },
  'differential/guest-get-fsinfo return[].disk[].bus': { row: 'virtio-scsi-address' },
  'differential/guest-get-fsinfo return[].disk[].target': { row: 'virtio-scsi-address' },
};
