// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Policy } from '../../../core/policy/policy.ts';
import { profiles } from '../../../core/policy/profiles.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';
import { agentOnFake, request } from '../agent/agent-on-fake.ts';
import { ctl } from '../client/cli/ctl.ts';
import { hostHabits, type HostHabit } from './hosts.ts';

const page = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
const told = ['manage', 'backup', 'observe'] as const;
type Told = (typeof told)[number];

/** Whether an agent with the profile refuses it; each on a guest of its own, for one may be frozen or off afterwards. */
async function isRefused(profile: Told, command: string, args?: object): Promise<boolean> {
  const { connect } = await agentOnFake({ policy: { rules: profiles[profile], otherwise: 'allow' }, machine: { suspend: { modes: ['disk', 'ram', 'hybrid'], able: ['disk', 'ram', 'hybrid'] } } });
  const host = connect();
  host.send(request(command, args) + request('guest-sync', { id: 77 }));
  let refused = false;
  for (let line = ''; line !== '{"return": 77}'; line = await host.nextLine()) refused ||= line.includes('has been disabled: the command is not allowed: the profile');
  return refused;
}

async function works({ sends }: HostHabit, profile: Told): Promise<boolean> {
  const refused = await Promise.all(sends.map(async ([command, args]) => isRefused(profile, command, args)));
  return !refused.includes(true);
}

/** Profiles without conditions are lists of commands. */
const allowRpcs = (profile: Told): readonly string[] => {
  const policy = new Policy({ allow: [], block: [] }, { rules: profiles[profile], otherwise: 'allow' });
  return (commands as readonly CommandSchema[]).filter((schema) => policy.outlook(schema, false, '').kind === 'allowed').map(({ name }) => name);
};

describe('what hosts do, under each profile', () => {
  it.each(hostHabits)('$host: $does, as the table in docs/policy.md says', async (habit) => {
    const cells = await Promise.all(told.map(async (profile) => ((await works(habit, profile)) ? 'yes' : 'no')));

    expect(page).toContain(`\n| ${habit.host} | ${habit.does} | ${cells.join(' | ')} |\n`);
  });

  it('the table has no other rows', () => {
    const rows = page.slice(page.indexOf('| host | does | `manage` |')).split('\n\n', 1)[0]?.split('\n') ?? [];

    expect(rows).toHaveLength(hostHabits.length + 2);
  });

  it.each(hostHabits.flatMap((habit) => told.flatMap((profile) => (habit.words ?? []).map((words) => ({ habit, profile, words, line: words.join(' ') })))))('concierge-ctl $line under $profile', async ({ habit, profile, words }) => {
    const machine = { files: { '/etc/hostname': 'x\n', '/bin/x': { program: () => 0 } } };

    const { status, err } = await ctl(words, { machine }, { realTime: true, allowRpcs: allowRpcs(profile) });

    expect({ refused: /disabled|not allowed|may not/.test(err), status: status === 0 ? 0 : 1, err }).toMatchObject((await works(habit, profile)) ? { status: 0 } : { refused: true, status: 1 });
  });
});
