// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { AgentError } from '../../../core/errors/agent-error.ts';

/** The provider's file, beside the bundle. @throws failed error where there is none, as in the sources */
export function providerPath(): string {
  const beside = join(dirname(fileURLToPath(import.meta.url)), 'concierge-vss.dll');
  if (existsSync(beside)) return beside;
  throw AgentError.failed(`the VSS provider is missing: there is no ${beside}`);
}
