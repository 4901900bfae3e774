// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { registerProvider, unregisterProvider } from '../../adapters/windows/module.ts';
import { registryText } from '../../adapters/windows/registry.ts';
import { AgentError } from '../../kit/index.ts';
import { built } from './doubles.ts';
import { after, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const library = built('concierge-vss.dll');
const classKey = 'SOFTWARE\\Classes\\CLSID\\{63AD1F54-1700-4F3B-B9E3-2C47A3BF43BC}';

const messageOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return AgentError.is(error) ? error.message : `no AgentError: ${String(error)}`;
  }
  return 'it succeeded';
};

/** Wine has neither COM+ nor the coordinator of VSS: what can be seen here is that failing is told and leaves nothing. */
describe('registering the VSS provider', () => {
  it('a step that fails is named, and nothing stays registered', async () => {
    const message = await messageOf(registerProvider('1.0', library));

    assert.match(message, /^failed to register the VSS provider: opening the COM\+ catalogue: Windows error 0x80040154: ./);
    assert.equal(registryText(`${classKey}\\InprocServer32`, ''), undefined);
  });

  it('removing what is not there names what VSS refused', async () => {
    const message = await messageOf(unregisterProvider(library));

    assert.match(message, /^failed to remove the VSS provider: removing the provider from VSS: Windows error 0x/);
  });
});
