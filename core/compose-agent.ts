// SPDX-License-Identifier: Apache-2.0
import { Agent, type AgentOptions } from './agent.ts';
import { handlers } from './commands/index.ts';
import { FreezeController } from './freeze/controller.ts';

type FreezeSettings = Parameters<typeof FreezeController.on>[1]['settings'];

export interface AgentComposition extends Omit<AgentOptions, 'handlers' | 'freeze'> {
  readonly freezeSettings: FreezeSettings;
  /** Default: one for every command of the schema. */
  readonly handlers?: AgentOptions['handlers'];
}

/** An agent with the freeze controller of its backend. What an earlier agent left frozen is its `freeze.recoverAtStart()` to take over. */
export function composeAgent({ freezeSettings, ...rest }: AgentComposition): Agent {
  const { backend, stateStore, log } = rest;
  return new Agent({ handlers, ...rest, freeze: FreezeController.on(backend, { stateStore, log, settings: freezeSettings }) });
}
