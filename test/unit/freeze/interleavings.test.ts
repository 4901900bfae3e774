// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { freezingGuest } from './freezing-guest.ts';

type Step =
  | { readonly do: 'freeze'; readonly only?: readonly string[] }
  | { readonly do: 'thaw' | 'end' | 'lose-guardian' | 'restart' | 'settle' }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'outside'; readonly mountPoint: string }
  | { readonly do: 'fault'; readonly port: string; readonly method: string; readonly delayMs?: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('freeze' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('freeze' as const), only: fc.subarray(['/', '/boot', '/data', '/mnt/backup', '/nope']) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('thaw' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('lose-guardian' as const, 'restart' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 500, 1_000, 5_000, 12_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('outside' as const), mountPoint: fc.constantFrom('/boot', '/') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      port: fc.constant('kernel'),
      method: fc.constantFrom('fifreeze', 'fithaw', 'syncfs', 'openMountPoint'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      port: fc.constant('kernel'),
      method: fc.constantFrom('fifreeze', 'syncfs'),
      delayMs: fc.constantFrom(300, 800),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Step>(
      { do: 'fault', port: 'stateStore', method: 'writeFreezeMarker' },
      { do: 'fault', port: 'stateStore', method: 'removeFreezeMarker' },
      { do: 'fault', port: 'fileSystem.freezing', method: 'survey' },
      { do: 'fault', port: 'fileSystem.freezing', method: 'begin' },
      { do: 'fault', port: 'fileSystem.freezing', method: 'thawEverything' },
      { do: 'fault', port: 'fileSystem.freezing.session', method: 'thaw' },
      { do: 'fault', port: 'fileSystem.freezing.session', method: 'flush' },
      { do: 'fault', port: 'hooks', method: 'list' },
      { do: 'fault', port: 'hooks.hook', method: 'run' },
    ),
  },
);

it('ends thawed and able to freeze again, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const guest = freezingGuest({
        settings: { deadlineMs: 5_000, withinMs: 2_000 },
        hooks: [{ name: 'db', phases: { freeze: { takesMs: 200 } } }],
      });
      const { machine, frozen, log, store } = guest;
      let agent = guest.controller;
      let { life } = guest;
      const answers: Promise<unknown>[] = [];
      for (const one of steps) {
        switch (one.do) {
          case 'freeze': answers.push(agent.freeze(one.only).catch(String)); break;
          case 'thaw': answers.push(agent.thaw().catch(String)); break;
          case 'end': answers.push(agent.thawBeforeExit()); break;
          case 'lose-guardian': await machine.freezing.endSessions('holder-lost', 'killed'); break;
          case 'settle': await settled(); break;
          case 'advance': await machine.clock.advance(one.ms); break;
          case 'outside': await Promise.race([machine.fileSystems.get(one.mountPoint).freeze().catch(String), settled()]); break;
          case 'fault': machine.faults.inject({ ...one, ...(one.delayMs === undefined && { error: 'EIO' }) }); break;
          case 'restart':
            await machine.clock.advance(20_000);
            await Promise.all(answers.splice(0));
            life.end();
            life = guest.newLife();
            agent = guest.startAgent({}, life);
            await agent.recoverAtStart();
            break;
          default: one satisfies never;
        }
      }

      machine.faults.clear();
      await machine.clock.advance(30_000);
      await Promise.all(answers);
      await agent.thaw();

      expect({ frozen: frozen(), gate: agent.isFrozen, status: agent.status, holding: log.holding, marker: store.marker })
        .toEqual({ frozen: [], gate: false, status: 'thawed', holding: false, marker: undefined });
      const again = agent.freeze();
      await machine.clock.advance(1_000);
      expect(await again).toBe(4);
      expect(await agent.thaw()).toBe(4);
    }),
    { numRuns: 300 },
  );
}, 60_000);
