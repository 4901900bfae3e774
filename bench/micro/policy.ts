// SPDX-License-Identifier: Apache-2.0
/**
 * What a judgement of the policy costs, in nanoseconds: without a rule, with 100 rules about the command of which the last fits, and a
 * whole ping through an agent without and with 100 rules. Minima of many rounds, taken in turn: other work only adds.
 *
 *     node bench/micro/policy.ts
 */
import { factsOf } from '../../core/policy/facts.ts';
import { Policy } from '../../core/policy/policy.ts';
import type { Conditions, Rule } from '../../core/policy/rule.ts';
import type { CommandSchema } from '../../core/schema/command.ts';
import { commands } from '../../core/schema/index.ts';

const rounds = 2000;
const calls = 100;

const command = (name: string): CommandSchema => {
  const found = commands.find((one) => one.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

const rule = (index: number, when: Conditions): Rule => ({ name: `rule ${index}`, effect: 'allow', when, tell: 'log', origin: { kind: 'built-in' } });
const hundred = (when: (index: number) => Conditions): Policy =>
  new Policy({ allow: [], block: [] }, { rules: Array.from({ length: 100 }, (_none, index) => rule(index, when(index))), otherwise: 'refuse' });

const none = new Policy({ allow: [], block: [] });
const users = hundred((index) => ({ users: [`user-${index}`] }));
const programs = hundred((index) => ({ programs: [`/usr/bin/program-${index}`], arguments: ['status', '*'] }));
const roots = hundred((index) => ({ files: { read: [`/var/lib/${index}`] } }));

const ping = command('guest-ping');
const password = command('guest-set-user-password');
const exec = command('guest-exec');
const open = command('guest-file-open');
const userFacts = factsOf(password, { username: 'user-99' });
const execFacts = { ...factsOf(exec, { path: 'x', arg: ['status', 'a'] }), program: { path: '/usr/bin/program-99' } };
const openFacts = { ...factsOf(open, { path: 'x' }), file: { names: ['/var/lib/99/file'], mayHaveOthers: false, read: true, write: false } };

const cases: Readonly<Record<string, () => unknown>> = {
  'no rule: outlook of a ping': () => none.outlook(ping, false, 'virtio-serial').kind,
  'no rule: outlook of guest-exec': () => none.outlook(exec, false, 'virtio-serial').kind,
  '100 rules about programs: outlook of a ping': () => programs.outlook(ping, false, 'virtio-serial').kind,
  '100 rules about users': () => users.judge(password, 'virtio-serial', userFacts).kind,
  '100 rules about programs and arguments': () => programs.judge(exec, 'virtio-serial', execFacts).kind,
  '100 rules about roots': () => roots.judge(open, 'virtio-serial', openFacts).kind,
  'facts of guest-exec': () => factsOf(exec, { path: 'x', arg: ['status', 'a'], env: ['A=b'] }).size,
};

const best = new Map<string, number>();
for (let round = 0; round < rounds; round += 1) {
  for (const [name, call] of Object.entries(cases)) {
    const began = process.hrtime.bigint();
    for (let count = 0; count < calls; count += 1) call();
    const each = Number(process.hrtime.bigint() - began) / calls;
    best.set(name, Math.min(each, best.get(name) ?? Infinity));
  }
}
for (const [name, nanoseconds] of best) process.stdout.write(`${name.padEnd(48)} ${nanoseconds.toFixed(0).padStart(6)} ns\n`);
