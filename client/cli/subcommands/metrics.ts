// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';

import { ClientError } from '../../client-error.ts';
import type { GuestClient } from '../../guest-client.ts';
import { forAll, sideBySide } from '../many-guests.ts';
import { onPath } from '../on-path.ts';
import { OpenMetrics } from '../open-metrics.ts';
import { untilSignal } from '../signals.ts';
import type { RunSubcommand, RunTogether, SubcommandContext } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** Sectors are of 512 bytes, whatever the disk's own are. */
const SECTOR = 512n;
/** Times of processors and disks are milliseconds. */
const MILLISECONDS = 1000;
/** Of a list that a guest answers: file systems, processors, disks, interfaces. Each entry is up to ten series, which somebody keeps. */
export const MOST_ENTRIES = 4096;
const upTo = <T>(list: readonly T[]): readonly T[] => list.slice(0, MOST_ENTRIES);

type Guests = readonly { readonly name: string; readonly open: () => Promise<GuestClient> }[];

/** `metrics [--output FILE | --listen PORT]`. */
export const run: RunSubcommand = (context) => {
  const { reconnect } = context;
  const guests = [{ name: '', open: reconnect as () => Promise<GuestClient> }];
  return told(context, guests, () => Promise.resolve(guests));
};

export const runTogether: RunTogether = (context, guests, again) => told(context, guests, again);

/** @param again who the guests are by now: domains come and go while it listens */
async function told(context: Omit<SubcommandContext, 'client' | 'reconnect'>, guests: Guests, again: () => Promise<Guests>): Promise<number> {
  const { flags, print, complain } = context;
  const atOnce = sideBySide(flags);
  const [output, listen] = [flags.get('output'), flags.get('listen')];
  if (listen !== undefined) {
    if (output !== undefined) throw new UsageError('--output writes once, and --listen tells whoever asks: one of them');
    const { serveMetrics } = await import('../metrics-server.ts');
    await untilSignal(context.signals ?? process, (signal) => serveMetrics(listen, async () => await textOf(await again(), atOnce), signal, (url) => complain(`concierge-ctl: listening at ${url}\n`)));
    // There is no other end to it.
    return 0;
  }
  const text = await textOf(guests, atOnce);
  if (output === undefined) print(text);
  else await replace(output, text);
  return 0;
}

async function textOf(guests: Guests, atOnce: number): Promise<string> {
  const metrics = new OpenMetrics();
  await forAll(guests, atOnce, async ({ name, open }) => await measure(metrics, name === '' ? {} : { guest: name }, open));
  return metrics.text();
}

async function replace(output: string, text: string): Promise<void> {
  // node_exporter may read at any moment, and passes over what does not end with .prom.
  const temporary = `${output}.${randomBytes(6).toString('hex')}`;
  try {
    await onPath(output, 'written', writeFile(temporary, text, { flag: 'wx', mode: 0o644 }));
    await onPath(output, 'written', rename(temporary, output));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

type Labels = Readonly<Record<string, string>>;

async function measure(metrics: OpenMetrics, labels: Labels, open: () => Promise<GuestClient>): Promise<void> {
  const start = performance.now();
  let up = 0;
  let client: GuestClient | undefined;
  try {
    client = await open();
    const { version } = await client.execute('guest-info');
    up = 1;
    metrics.info('concierge_guest_agent', 'The agent of the guest.', { ...labels, version });
    for (const part of parts) await orNothing(part(metrics, labels, client));
  } catch (error) {
    // A guest that went away meanwhile is told of as far as it was asked.
    if (!ClientError.is(error) || error.kind === 'misused') throw error;
    up = 0;
  } finally {
    client?.close();
    metrics.gauge('concierge_guest_up', 'Whether the agent answered.', labels, up);
    metrics.gauge('concierge_guest_scrape_duration_seconds', 'How long it took to ask the guest.', labels, (performance.now() - start) / 1000, 'seconds');
  }
}

/** What an agent lacks or refuses (a frozen one most of it) is a gap. */
async function orNothing(part: Promise<void>): Promise<void> {
  try {
    await part;
  } catch (error) {
    if (!ClientError.is(error) || error.kind !== 'refused') throw error;
  }
}

const parts: readonly ((metrics: OpenMetrics, labels: Labels, client: GuestClient) => Promise<void>)[] = [
  async (metrics, labels, client) => {
    metrics.gauge('concierge_guest_frozen', 'Whether file systems of the guest are frozen.', labels, (await client.execute('guest-fsfreeze-status')) === 'frozen' ? 1 : 0);
  },
  async (metrics, labels, client) => {
    const before = Date.now();
    const ns = await client.execute('guest-get-time');
    metrics.gauge('concierge_guest_clock_offset_seconds', "The guest's clock less this host's.", labels, (Number(ns / 1000n) / 1000 - (before + Date.now()) / 2) / 1000, 'seconds');
  },
  async (metrics, labels, client) => {
    for (const one of upTo(await client.execute('guest-get-fsinfo'))) {
      const of = { ...labels, mountpoint: one.mountpoint, fstype: one.type, device: one.name };
      metrics.gauge('concierge_guest_filesystem_size_bytes', 'Size of the file system.', of, one['total-bytes'], 'bytes');
      metrics.gauge('concierge_guest_filesystem_used_bytes', 'What of it is in use.', of, one['used-bytes'], 'bytes');
    }
  },
  async (metrics, labels, client) => {
    const load = await client.execute('guest-get-load');
    for (const [minutes, value] of [['1', load.load1m], ['5', load.load5m], ['15', load.load15m]] as const) metrics.gauge(`concierge_guest_load${minutes}`, `Load over ${minutes} ${minutes === '1' ? 'minute' : 'minutes'}.`, labels, value);
  },
  async (metrics, labels, client) => {
    for (const { cpu, type: _type, ...modes } of upTo(await client.execute('guest-get-cpustats'))) {
      for (const [mode, ms] of Object.entries(modes)) {
        if (typeof ms === 'bigint') metrics.counter('concierge_guest_cpu_seconds', 'How the processor has spent its time.', { ...labels, cpu: String(cpu), mode }, Number(ms) / MILLISECONDS, 'seconds');
      }
    }
  },
  async (metrics, labels, client) => {
    for (const { name, stats } of upTo(await client.execute('guest-get-diskstats'))) {
      const of = { ...labels, device: name };
      const bytes = (sectors: bigint | undefined): bigint | undefined => (sectors === undefined ? undefined : sectors * SECTOR);
      metrics.counter('concierge_guest_disk_read_bytes', 'Bytes read.', of, bytes(stats['read-sectors']), 'bytes');
      metrics.counter('concierge_guest_disk_written_bytes', 'Bytes written.', of, bytes(stats['write-sectors']), 'bytes');
      metrics.counter('concierge_guest_disk_reads', 'Reads completed.', of, stats['read-ios']);
      metrics.counter('concierge_guest_disk_writes', 'Writes completed.', of, stats['write-ios']);
      metrics.counter('concierge_guest_disk_io_time_seconds', 'Time in which the device was busy.', of, stats['total-ticks'] === undefined ? undefined : Number(stats['total-ticks']) / MILLISECONDS, 'seconds');
    }
  },
  async (metrics, labels, client) => {
    for (const { name, statistics } of upTo(await client.execute('guest-network-get-interfaces'))) {
      if (statistics === undefined) continue;
      const of = { ...labels, device: name };
      for (const [direction, word] of [['rx', 'receive'], ['tx', 'transmit']] as const) {
        metrics.counter(`concierge_guest_network_${word}_bytes`, `Bytes, ${word}.`, of, statistics[`${direction}-bytes`], 'bytes');
        metrics.counter(`concierge_guest_network_${word}_packets`, `Packets, ${word}.`, of, statistics[`${direction}-packets`]);
        metrics.counter(`concierge_guest_network_${word}_errors`, `Errors, ${word}.`, of, statistics[`${direction}-errs`]);
        metrics.counter(`concierge_guest_network_${word}_dropped`, `Packets dropped, ${word}.`, of, statistics[`${direction}-dropped`]);
      }
    }
  },
];
