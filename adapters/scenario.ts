// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

import { AgentError, messageOf, withContext } from '../core/errors/agent-error.ts';
import type { Backend } from '../core/ports/index.ts';
import { commandNames } from '../core/schema/index.ts';
import type { AgentParts } from './cli/composition.ts';
import type { Settings } from './config/settings.ts';
import { parseScenario } from './fake/scenario/parse-scenario.ts';
import { ScenarioGuest } from './fake/scenario/scenario-guest.ts';
import { systemError } from './shared/system-error.ts';

/**
 * The agents of a fake guest that lives through a scenario, one after the other, as one.
 *
 * @throws failed error with the lines of the file that are wrong
 */
export async function scenarioAgent(settings: Settings, createAgent: (backend: Backend) => Promise<AgentParts['agent']>): Promise<AgentParts['agent']> {
  const path = settings.scenario ?? '';
  if (settings.backend !== 'fake') throw AgentError.failed('a scenario is for the fake guest: add --backend=fake');
  const scenario = parseScenario(read(path), { name: path, commands: commandNames });
  try {
    return await ScenarioGuest.start({ scenario, realTime: true, createAgent });
  } catch (error) {
    throw AgentError.is(error) ? error : AgentError.failed(`${path}: ${messageOf(error)}`, error);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw withContext(`the scenario ${path} cannot be read`, systemError(error, path));
  }
}
