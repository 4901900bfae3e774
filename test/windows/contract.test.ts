// SPDX-License-Identifier: Apache-2.0
import { testBackend } from '../../kit/contract/index.ts';
import { after, describe, it } from './runner.ts';
import { windowsSubject } from './subject.ts';

// Timers of the agent do not keep a process alive, and node:test ends with nothing that does.
const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

await testBackend('Windows', () => windowsSubject(), { describe, it }, {
  except: {
    'a writer waits while its file system is frozen and goes on after the thaw, and reading goes on': 'the double of VSS holds no writes',
    'what somebody else has frozen is busy, and not thawed by this session': 'VSS has one freeze at a time, and says so at the beginning',
    'users and groups that do not exist are refused by name': 'no program is started as another user on Windows: conversations.test.ts has the sentence',
    'what others thawed meanwhile counts as not thawed, and is no error': 'nobody else can end a freeze of VSS',
  },
});
