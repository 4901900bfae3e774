// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { LONGEST_LABEL, OpenMetrics } from '../../../../client/cli/open-metrics.ts';
import { MOST_ENTRIES, run } from '../../../../client/cli/subcommands/metrics.ts';
import { GuestClient } from '../../../../client/guest-client.ts';
import { scriptedAgent } from '../scripted-agent.ts';

/** What is told of a guest that answers these, and nothing else. */
async function metricsOf(answers: Readonly<Record<string, unknown>>): Promise<string> {
  const { host } = scriptedAgent({
    answer: (name, id) => (name in answers ? `{"return": ${JSON.stringify(answers[name])}${id}}\n` : `{"error": {"class": "CommandNotFound", "desc": "no"}${id}}\n`),
  });
  let text = '';
  const context = { reconnect: () => Promise.resolve(new GuestClient(host)), flags: new Map<string, string>(), print: (printed: string) => void (text += printed) };
  await run(context as unknown as Parameters<typeof run>[0]);
  return text;
}

const info = { version: '1', supported_commands: [] };
const fileSystem = (name: string, total: number): object => ({ name, mountpoint: '/', type: 'ext4', disk: [], 'total-bytes': total, 'used-bytes': 1 });

describe('metrics of a guest that means harm', () => {
  it('have each sample once: a second makes readers refuse those of all guests', async () => {
    const text = await metricsOf({ 'guest-info': info, 'guest-get-fsinfo': [fileSystem('sda1', 10), fileSystem('sda1', 11), fileSystem('sdb1', 12)] });

    expect(text.match(/^concierge_guest_filesystem_size_bytes\{.*$/gm)).toEqual([
      'concierge_guest_filesystem_size_bytes{mountpoint="/",fstype="ext4",device="sda1"} 10',
      'concierge_guest_filesystem_size_bytes{mountpoint="/",fstype="ext4",device="sdb1"} 12',
    ]);
  });

  it('have no more series than somebody can keep', async () => {
    const text = await metricsOf({ 'guest-info': info, 'guest-get-fsinfo': Array.from({ length: MOST_ENTRIES + 10 }, (_, index) => fileSystem(`sd${index}`, 1)) });

    expect(text.match(/^concierge_guest_filesystem_size_bytes\{/gm)).toHaveLength(MOST_ENTRIES);
    expect(text).toContain('\nconcierge_guest_up 1\n');
  });

  it('have labels that end, of one line, with nothing in them that a terminal obeys', async () => {
    const text = await metricsOf({ 'guest-info': { ...info, version: `1\r# EOF\u001B[2J"\\\n${'x'.repeat(5000)}` } });

    const line = /^concierge_guest_agent_info\{.*$/m.exec(text)?.[0] ?? '';
    expect(line.startsWith(String.raw`concierge_guest_agent_info{version="1\\r# EOF\\x1b[2J\"\\\\nxxx`)).toBe(true);
    expect(line.length).toBeLessThan(LONGEST_LABEL + 100);
  });

  it('have no number that is none to a reader', () => {
    const metrics = new OpenMetrics();
    metrics.gauge('a', 'A.', {}, 10n ** 400n);
    metrics.gauge('a', 'A.', {}, Number.POSITIVE_INFINITY);
    metrics.gauge('b', 'B.', {}, 2n ** 64n);

    expect(metrics.text()).toBe('# TYPE b gauge\n# HELP b B.\nb 18446744073709551616\n# EOF\n');
  });
});
