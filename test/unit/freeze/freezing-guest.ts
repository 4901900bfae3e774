// SPDX-License-Identifier: Apache-2.0
import type { MachineDescription } from '../../../adapters/fake/description.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FreezeController } from '../../../core/freeze/controller.ts';
import type { FreezeContext, FreezeSettings } from '../../../core/freeze/context.ts';
import type { FreezeSession, Freezing, StateStore } from '../../../core/ports/index.ts';
import { Life } from './mortal.ts';

/** A guest in memory with three disks and an image file on one of them, and as many agents in a row as a test wants. */
export function freezingGuest(options: {
  readonly settings?: Partial<FreezeSettings>;
  readonly hooks?: MachineDescription['hooks'];
  readonly machine?: Partial<MachineDescription>;
} = {}) {
  const machine = createFakeMachine({ hooks: options.hooks ?? [], ...options.machine });
  const store = new FakeStateStore({ bootId: machine.bootId });
  const log = new FakeLog();
  const stateStore = machine.faults.wrap<StateStore>(store, 'stateStore');
  const { freezing } = machine.backend.fileSystem ?? {};
  if (freezing === undefined) throw new Error('this machine cannot freeze');
  const startAgent = (changes: Partial<FreezeContext> = {}, life = new Life()): FreezeController =>
    new FreezeController({
      freezing: life.lead(freezing),
      hooks: machine.backend.hooks && life.lead(machine.backend.hooks),
      stateStore: life.lead(stateStore),
      log,
      clock: machine.backend.clock,
      settings: { deadlineMs: 600_000, withinMs: 60_000, excluded: [], unknownMountPoints: 'error', ...options.settings },
      ...changes,
    });
  const life = new Life();
  return {
    machine,
    store,
    log,
    life,
    newLife: () => new Life(),
    /** Freezing whose holders take no notice of their deadline and never say that they ended: stopped, say. */
    deaf: (): Freezing => ({
      survey: () => freezing.survey(),
      thawEverything: (only) => freezing.thawEverything(only),
      begin: async (request) => deafened(await freezing.begin({ ...request, deadlineMs: 0 })),
      recover: async (marker) => {
        const session = await freezing.recover(marker);
        return session && deafened(session);
      },
    }),
    controller: startAgent({}, life),
    startAgent,
    /** Mount points that are frozen at this moment. */
    frozen: (): readonly string[] => machine.fileSystems.frozen,
    hookRuns: (): readonly string[] => machine.hooks.runs.map(({ name, phase }) => `${name} ${phase}`),
  };
}

const deafened = (session: FreezeSession): FreezeSession => ({
  recoveryData: session.recoveryData,
  flush: () => session.flush(),
  freeze: () => session.freeze(),
  thaw: () => session.thaw(),
  ended: new Promise(() => {}),
});
