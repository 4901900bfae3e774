// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bashCompletion } from './bash-completion.ts';
import { configurationSample } from './configuration-sample.ts';
import type { Entry } from './file-tree.ts';
import { manPage } from './man-page.ts';
import { packagingFile, places } from './places.ts';
import { repository, type Architecture } from './product-facts.ts';
import { standaloneScript } from './shell-script.ts';
import type { ShippedParts } from './shipped-parts.ts';
import { thirdPartyLicences } from './third-party-licences.ts';

export interface LayoutOptions {
  readonly parts: ShippedParts;
  readonly architecture: Architecture;
  /** Seconds since 1970, for the man page. */
  readonly date: number;
}

/** Of the unit, for whoever wants one. */
export const dropIns = ['hooks.conf', 'keeper.conf', 'no-guest-exec.conf', 'profile-backup.conf', 'profile-manage.conf', 'profile-observe.conf'] as const;

/** What every package of a distribution has in it. Links are relative: a tree works below another root as well. */
export function layout(options: LayoutOptions): readonly Entry[] {
  const { parts, architecture, date } = options;
  return [
    ...programEntries(parts, places.lib),
    ...shareEntries(places.share),
    ...dropIns.map((name): Entry => ({ path: `${places.share}/systemd/${name}`, text: filledIn(`systemd/${name}`, architecture) })),
    { path: '/usr/sbin/concierge-ga', linkTo: '../lib/concierge-ga/bin/concierge-ga' },
    { path: `${places.etc}/fsfreeze-hook.d`, directory: true },
    { path: `${places.etc}/generation.d`, directory: true },
    { path: `${places.units}/concierge-ga.service`, text: unitText('port', architecture) },
    { path: `${places.units}/concierge-ga-channel.service`, text: unitText('channel', architecture) },
    { path: `${places.rules}/60-concierge-ga.rules`, text: packagingFile('udev/60-concierge-ga.rules') },
    { path: '/usr/share/man/man8/concierge-ga.8.gz', text: gzipSync(manPage(date), { level: 9 }) },
    { path: '/usr/share/man/man8/qemu-ga.8.gz', linkTo: 'concierge-ga.8.gz' },
    { path: '/usr/share/bash-completion/completions/concierge-ga', text: bashCompletion() },
    { path: '/usr/share/bash-completion/completions/qemu-ga', linkTo: 'concierge-ga' },
    ...documentationEntries(places.doc),
    { path: `${places.doc}/third-party-licences.txt`, text: thirdPartyLicences() },
  ];
}

/** Runtime, launcher and bundle, in the places relative to each other that the launcher knows. */
export const programEntries = (parts: ShippedParts, lib: string): readonly Entry[] => [
  { path: `${lib}/bin/concierge-ga`, copyOf: join(repository, 'bin/concierge-ga'), mode: 0o755 },
  { path: `${lib}/runtime/node`, copyOf: parts.runtime, mode: 0o755 },
  ...parts.files.map(({ name, source, executable }): Entry => ({ path: `${lib}/dist/${name}`, copyOf: source, mode: executable ? 0o755 : 0o644 })),
];

export const shareEntries = (share: string): readonly Entry[] => [
  { path: `${share}/concierge-ga.conf`, text: configurationSample() },
  ...hookEntries('hooks', `${share}/hooks`),
  ...hookEntries('generation', `${share}/generation`),
];

/** Ready-made hooks: to be copied to the hook directory by whoever wants one. */
function hookEntries(kind: string, directory: string): readonly Entry[] {
  const source = join(repository, 'examples', kind);
  if (!existsSync(source)) return [];
  return readdirSync(source)
    .filter((name) => statSync(join(source, name)).isFile())
    .toSorted()
    .map((name): Entry => ({ path: `${directory}/${name}`, copyOf: join(source, name), mode: name.includes('.') ? 0o644 : 0o755 }));
}

export const documentationEntries = (doc: string): readonly Entry[] => {
  const source = join(repository, 'docs');
  return readdirSync(source)
    .filter((name) => name.endsWith('.md'))
    .toSorted()
    .map((name): Entry => ({ path: `${doc}/${name}`, copyOf: join(source, name) }));
};

const filledIn = (name: string, architecture: Architecture): string => fillIn(packagingFile(name), architecture);

const fillIn = (text: string, architecture: Architecture): string =>
  text.replaceAll('@LIBDIR@', places.lib).replaceAll('@SHAREDIR@', places.share).replaceAll('@ARCHITECTURES@', architecture.systemCalls);

/** A unit: what is its own, and the service that both have. */
export const unitTemplate = (kind: 'port' | 'channel'): string => `${packagingFile(`systemd/${kind}.unit`)}\n${packagingFile('systemd/service.unit')}`;

export const unitText = (kind: 'port' | 'channel', architecture: Architecture): string => fillIn(unitTemplate(kind), architecture);

/** The text of a maintainer script. */
export const maintainerScript = (text: string): string =>
  standaloneScript(text, { agent: `${places.lib}/bin/concierge-ga`, units: places.units, etc: places.etc, share: places.share });
