// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../../core/errors/harmless-text.ts';
import { ClientError } from '../../client-error.ts';
import type { GuestClient } from '../../guest-client.ts';
import type { GuestProcess } from '../../guest-process.ts';
import { spawn } from '../../spawn.ts';

/**
 * Carries one TCP connection between the address in its arguments and standard input and output: the end of either side is passed on to the
 * other, what is kept is bounded, status 0 says that both sides have ended, and who ends it otherwise resets the connection. It may take 30 s to connect.
 */
const PERL = `
use strict; use Socket qw(:DEFAULT getaddrinfo SOCK_STREAM SOL_SOCKET SO_LINGER); use Fcntl;
my ($host, $port) = @ARGV; my $s;
my ($error, @all) = getaddrinfo($host, $port, { socktype => SOCK_STREAM });
die "$error\\n" if $error;
my $why = "it has no address";
for my $one (@all) {
  socket($s, $one->{family}, SOCK_STREAM, 0) or next;
  my $ok = eval { local $SIG{ALRM} = sub { die "no answer within 30 s\\n" }; alarm 30; my $done = connect($s, $one->{addr}); $why = "$!" unless $done; alarm 0; $done };
  $why = $@ if $@; $why =~ s/\\n//g;
  if ($ok) { $why = ""; last } close $s;
}
die "$why\\n" if $why ne "";
$SIG{PIPE} = "IGNORE";
sub reset_it { setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)); exit 1 }
$SIG{HUP} = $SIG{TERM} = $SIG{INT} = \\&reset_it;
fcntl($_, F_SETFL, fcntl($_, F_GETFL, 0) | O_NONBLOCK) for (\\*STDIN, \\*STDOUT, $s);
my @way = ([\\*STDIN, $s, "", 1, 1], [$s, \\*STDOUT, "", 1, 1]);
while (grep { $_->[4] } @way) {
  my ($r, $w) = ("", "");
  for (@way) {
    vec($r, fileno($_->[0]), 1) = 1 if $_->[3] && length($_->[2]) < 65536;
    vec($w, fileno($_->[1]), 1) = 1 if length($_->[2]);
  }
  select($r, $w, undef, undef) >= 0 or next;
  for (@way) {
    if ($_->[3] && length($_->[2]) < 65536) {
      my $n = sysread($_->[0], $_->[2], 65536, length($_->[2]));
      if (!defined $n) { $!{EAGAIN} || $!{EINTR} or do { print STDERR "$!\\n"; reset_it() } } elsif ($n == 0) { $_->[3] = 0 }
    }
    if (length($_->[2])) {
      my $n = syswrite($_->[1], $_->[2]);
      if (!defined $n) { $!{EAGAIN} || $!{EINTR} or do { print STDERR "$!\\n"; reset_it() } } else { substr($_->[2], 0, $n) = "" }
    }
    if ($_->[4] && !$_->[3] && !length($_->[2])) { $_->[4] = 0; $_->[1] == $s ? shutdown($s, 1) : close(STDOUT) }
  }
}
`;

const PYTHON = `
import os, select, signal, socket, struct, sys
try: s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
except OSError as error: sys.exit('no answer within 30 s' if isinstance(error, socket.timeout) else error.strerror or str(error))
def reset(*why):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    os._exit(1)
for one in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT): signal.signal(one, reset)
for fd in (0, 1, s.fileno()): os.set_blocking(fd, False)
ways = [[0, s.fileno(), b'', True, True], [s.fileno(), 1, b'', True, True]]
while any(way[4] for way in ways):
    r, w, _ = select.select([y[0] for y in ways if y[3] and len(y[2]) < 65536], [y[1] for y in ways if y[2]], [])
    for y in ways:
        try:
            if y[0] in r:
                more = os.read(y[0], 65536)
                y[2] += more
                y[3] = bool(more)
            if y[2]: y[2] = y[2][os.write(y[1], y[2]):]
        except BlockingIOError: pass
        except OSError as error:
            sys.stderr.write(error.strerror + '\\n')
            sys.stderr.flush()
            reset()
        if y[4] and not y[3] and not y[2]:
            y[4] = False
            if y[1] == 1: os.close(1)
            else:
                try: s.shutdown(socket.SHUT_WR)
                except OSError: pass
`;

/** A program of the guest that can carry a connection. */
interface Candidate {
  /** As people call it. */
  readonly name: string;
  readonly program: string;
  /** Ends at once, with status 0 where it will do. */
  readonly probe: readonly string[];
  readonly arguments: (host: string, port: number) => readonly string[];
}

/** The best first. Perl is a part of every Debian and openSUSE, Python of every Fedora and RHEL, BusyBox of every Alpine. */
const candidates: readonly Candidate[] = [
  { name: 'perl', program: 'perl', probe: ['-MSocket=getaddrinfo', '-MFcntl', '-MErrno', '-e1'], arguments: (host, port) => ['-e', PERL, host, String(port)] },
  ...['python3', '/usr/libexec/platform-python'].map((program) => ({
    name: 'python3', program, probe: ['-Sc', 'import select, socket, struct'], arguments: (host: string, port: number) => ['-Sc', PYTHON, host, String(port)],
  })),
  // On a pipe its output would stay open until its input has ended, however long ago the connection has.
  { name: 'socat', program: 'socat', probe: ['-V'], arguments: (host, port) => ['-t', '2000000', 'STDIN!!STDOUT,shut-close', `TCP:${host.includes(':') ? `[${host}]` : host}:${port}`] },
  // The end of the far side ends both directions with it.
  { name: "BusyBox's nc", program: 'busybox', probe: ['nc', '--help'], arguments: (host, port) => ['nc', host, String(port)] },
];

/** Milliseconds after which a connection in the guest ends that nobody asks for: where requests come one by one, an agent does not learn that the host was killed. */
export const UNATTENDED_MS = 120_000;

/** Makes connections in a guest. */
export class GuestEnd {
  /** What carries them. */
  readonly name: string;
  readonly #client: GuestClient;
  readonly #candidate: Candidate;

  private constructor(client: GuestClient, candidate: Candidate) {
    this.#client = client;
    this.#candidate = candidate;
    this.name = candidate.name;
  }

  /** Looks what the guest has. @throws ClientError where it has nothing, or does not let a host start any of it */
  static async of(client: GuestClient, signal: AbortSignal): Promise<GuestEnd> {
    let refusal: ClientError | undefined;
    for (const candidate of candidates) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the first that there is
        if (await works(client, candidate, signal)) return new GuestEnd(client, candidate);
      } catch (error) {
        if (!ClientError.is(error) || error.kind !== 'refused' || error.missing !== undefined) throw error;
        if (!isMissing(error)) refusal ??= new ClientError('refused', `${candidate.name} cannot be started in the guest: ${error.message}`, { cause: error });
      }
    }
    throw refusal ?? new ClientError('refused', 'the guest has no perl, python3, socat or busybox, one of which a tunnel needs there');
  }

  connect(host: string, port: number): GuestProcess {
    return spawn(this.#client, this.#candidate.program, this.#candidate.arguments(host, port), { unattendedLimitMs: UNATTENDED_MS });
  }
}

const isMissing = (error: ClientError): boolean => error.message.includes('No such file or directory');

function works(client: GuestClient, { program, probe }: Candidate, signal: AbortSignal): Promise<boolean> {
  const child = spawn(client, program, probe, { stdio: 'ignore', timeLimitMs: 10_000, signal });
  return new Promise((resolve, reject) => {
    child.once('close', () => resolve(child.exitCode === 0));
    child.once('error', reject);
  });
}

/** What a program says of a connection that failed, in one line. */
export function reasonOf(said: string): string {
  const [line = ''] = said.trim().split('\n').slice(-1);
  // socat: `2026/11/30 21:53:10 socat[4711] E connect(…): Connection refused`; BusyBox: `nc: can't connect to remote host (127.0.0.1): Connection refused`.
  return harmless(line.replace(/^[\d/]+ [\d:.]+ socat\[\d+\] \w /, '').replace(/^nc: /, ''));
}
