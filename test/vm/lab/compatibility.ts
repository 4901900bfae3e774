// SPDX-License-Identifier: Apache-2.0
import { fileSystems } from './file-systems.ts';
import { guests, hosts } from './pair.ts';

/** One file of tests with one pair of host and guest. */
export interface Cell {
  readonly date: string;
  readonly passed: number;
  readonly skipped: number;
  /** Names of tests. */
  readonly failed: readonly string[];
  /** Why no test was run at all. */
  readonly broken?: string;
}

export interface Result {
  readonly pair: string;
  readonly files: Readonly<Record<string, Cell>>;
  /** Files that were run with agents that have a keeper. */
  readonly kept?: Readonly<Record<string, Cell>> | undefined;
  readonly observations: Readonly<Record<string, string>>;
}

/** What the files are about, in the order of the table. */
const columns = {
  'reference-agent': "beside Debian's agent",
  channels: 'channels, the worn port',
  libvirt: 'under libvirt',
  'libvirt-client': "the client's libvirt RPC",
  vsock: 'vsock',
  'package-freeze': 'freezes of the package',
  package: 'the package',
  'file-systems': 'file systems',
} as const;

/** Of the machine that is asked about file systems: it has more drivers. */
const KERNEL = 'kernel of the file systems';

const versions = ['QEMU', 'libvirt', 'kernel', 'systemd', 'qemu-guest-agent of the guest'] as const;

/** As the kernel calls them. */
const short: Readonly<Record<string, string>> = {
  'Device or resource busy': 'EBUSY', 'Invalid argument': 'EINVAL', 'Operation not supported': 'EOPNOTSUPP', 'Read-only file system': 'EROFS',
  'the discard operation is not supported': 'unsupported',
};

const row = (...cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

/** docs/compatibility.md. */
export function compatibilityPage(results: readonly Result[]): string {
  const pairs = Object.keys(hosts).flatMap((host) => Object.keys(guests).map((guest) => `${host}+${guest}`));
  const of = (pair: string): Result | undefined => results.find((result) => result.pair === pair);
  const ran = pairs.filter((pair) => of(pair) !== undefined);
  const underKeeper = pairs.filter((pair) => of(pair)?.kept !== undefined);
  return `# Hosts and guests

<!-- Written by test/vm/matrix.ts from test/vm/results; \`node test/vm/matrix.ts --pairs=\` writes it anew. -->

What the suite of virtual machines (\`test/vm\`) has shown with releases of QEMU and libvirt on the host, and of Debian and its kernels in the guest.
Hosts: ${Object.entries(hosts).map(([name, { what }]) => `\`${name}\` is ${what}`).join('; ')}.
Guests: ${Object.entries(guests).map(([name, { what }]) => `\`${name}\` is ${what}`).join('; ')}.
The machines are emulated (TCG). The continuous tests run all files on the first pair, and \`test/vm/newest.test.ts\` (a freeze, the worn port) on the last; the others are run by hand:
\`node test/vm/matrix.ts --pairs=trixie-backports+7.3 --files=channels,libvirt\`, or \`node test/vm/run.ts --record vsock\` for a file by itself.
A host or a guest that cannot be downloaded skips the suite, and each file of it says why; in the continuous tests (\`CI\` is set) that is a failure.

No guest is of another distribution: Debian's archive (12, 13 and backports, looked at on 2026-11-30) has what makes one, but nothing to make it of. \`mmdebstrap\` and \`debootstrap\`
make Ubuntu (its keys are in Debian 13's \`ubuntu-keyring\`) or Devuan from their mirrors, \`dnf\`, \`zypper\`, \`rinse\` and \`mkosi\` make Fedora and openSUSE, \`pacman-package-manager\` and
\`arch-install-scripts\` Arch Linux (keys in \`archlinux-keyring\`), \`nix-bin\` NixOS; each of them fetches all packages from that distribution's own servers. \`apk-tools\` and
\`xbps\` (Alpine, Void) are not in the archive at all.

## What was run

${runs(pairs, (pair) => of(pair)?.files)}

${failures(results, ({ files }) => files)}

### With a keeper

The same files with agents that have a [keeper](keeper.md) (\`--kept\`), and sleep after 3 s where no package says otherwise.

${underKeeper.length === 0 ? 'Not run.' : `${runs(underKeeper, (pair) => of(pair)?.kept)}\n\n${failures(results, ({ kept = {} }) => kept)}`}

## Versions

${table(['host, guest', ...versions], ran.map((pair) => [titled(pair), ...versions.map((name) => of(pair)?.observations[name] ?? '–')]))}

## What differs by release

As seen in these runs; what is the same everywhere is left out.

${differing(ran, results)}

## File systems

What each kernel answers, asked by \`fsfreeze\` and \`fstrim\` of util-linux on 320 MiB of a virtio disk with \`discard\`. *freeze* is FIFREEZE, and a second one while it
is frozen; *thaw* is FITHAW, and another of what is not frozen. *trim* is FITRIM in bytes: after a file of 8 MiB was deleted, again at once, with a minimum of 1 TiB, and mounted
read-only. The plan of a [freeze](freeze.md#the-plan) promised exactly what the first column shows, by test.

${kernels(results)}
`;
}

type Cells = Result['files'];

const runs = (pairs: readonly string[], cellsOf: (pair: string) => Cells | undefined): string =>
  table(['host, guest', ...Object.values(columns)], pairs.map((pair) => [titled(pair), ...Object.keys(columns).map((file) => shown(cellsOf(pair)?.[file]))]));

function failures(results: readonly Result[], cellsOf: (result: Result) => Cells): string {
  const found = results.flatMap((result) =>
    Object.entries(cellsOf(result)).flatMap(([file, { failed, broken }]) => [...failed, ...(broken === undefined ? [] : [`no test was run${broken === '' ? '' : `: ${broken}`}`])].map((name) => `* ${titled(result.pair)}, ${file}: ${name}`)));
  return found.length === 0 ? 'Nothing of it failed.' : `What failed:\n\n${found.join('\n')}`;
}

const titled = (pair: string): string => pair.replace('+', ', ');

function shown(cell: Cell | undefined): string {
  if (cell === undefined) return 'not run';
  if (cell.broken !== undefined) return `not run: the machine was not made (${cell.date})`;
  if (cell.passed + cell.failed.length === 0) return `skipped (${cell.date})`;
  const parts = [`${cell.passed} passed`, ...(cell.failed.length > 0 ? [`**${cell.failed.length} failed**`] : []), ...(cell.skipped > 0 ? [`${cell.skipped} skipped`] : [])];
  return `${parts.join(', ')} (${cell.date})`;
}

function differing(pairs: readonly string[], results: readonly Result[]): string {
  const isFileSystem = (name: string): boolean => fileSystems.some(({ type }) => name.startsWith(`${type}: `));
  const names = [...new Set(results.flatMap(({ observations }) => Object.keys(observations)))].filter((name) => !isFileSystem(name) && !versions.some((one) => one === name) && name !== KERNEL).toSorted();
  const rows = names.map((name) => [name, ...pairs.map((pair) => results.find((result) => result.pair === pair)?.observations[name] ?? '–')]);
  const differ = rows.filter(([, ...seen]) => new Set(seen.filter((one) => one !== '–')).size > 1);
  return differ.length === 0 ? 'Nothing yet.' : table(['what', ...pairs.map(titled)], differ);
}

/** One table for each kernel that has been asked. */
function kernels(results: readonly Result[]): string {
  const asked = results.filter(({ files }) => (files['file-systems']?.passed ?? 0) > 0);
  const byKernel = new Map(asked.map((result) => [result.pair.replace(/.*\+/, ''), result]));
  const sections = [...byKernel].map(([name, { observations, files }]) => {
    const cell = (type: string, ...whats: readonly string[]): string => whats.flatMap((what) => observations[`${type}: ${what}`] ?? []).map((seen) => short[seen] ?? seen.replace(/,.*/, '')).join('; ');
    const rows = fileSystems.map(({ type }) => [
      type, cell(type, 'freeze', 'again'), cell(type, 'thaw', 'thaw-again'), cell(type, 'trim'), cell(type, 'trim-again'), cell(type, 'minimum'), cell(type, 'read-only'),
    ]);
    return `### Kernel ${name}\n\n${observations[KERNEL] ?? ''} (${files['file-systems']?.date ?? ''})\n\n${table(['', 'freeze; again', 'thaw; again', 'trim', 'again', 'minimum', 'read-only'], rows)}`;
  });
  return sections.length === 0 ? 'Not run.' : sections.join('\n\n');
}
