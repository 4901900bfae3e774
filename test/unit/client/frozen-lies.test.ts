// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { GuestClient, withFrozen } from '../../../client/index.ts';
import { scriptedAgent } from './scripted-agent.ts';

describe('a guest that lies about its freeze', () => {
  it('by fewer file systems than none is not taken for frozen, and is thawed', async () => {
    const agent = scriptedAgent({ answer: (name, id) => `{"return": ${name === 'guest-fsfreeze-status' ? '"thawed"' : '-1'}${id}}\n` });
    let copied = false;

    const freezing = withFrozen(new GuestClient(agent.host), () => {
      copied = true;
      return Promise.resolve();
    });

    await expect(freezing).rejects.toMatchObject({ kind: 'garbage', message: 'the agent says that it has frozen -1 file systems' });
    expect(copied).toBe(false);
    expect(agent.requests).toEqual(['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw']);
  });
});
