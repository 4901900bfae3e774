// SPDX-License-Identifier: Apache-2.0
import { describe, it } from 'vitest';

import { testBackend } from '../../kit/contract/index.ts';
import { fakeSubject } from './fake-subject.ts';

await testBackend('fake', () => fakeSubject(), { describe, it });

await testBackend('fake, for an agent that is not root', () => fakeSubject({ agent: { uid: 1000, gid: 1000 } }), { describe, it });

await testBackend(
  'fake, of a system that has only a clock and files',
  () => fakeSubject({
    without: [
      'clock.setting', 'clock.references', 'fileSystem.freezing', 'fileSystem.trimming', 'fileSystem.usage', 'fileSystem.disks', 'fileSystem.diskStatistics',
      'power', 'network', 'processes', 'accounts', 'processors', 'memory', 'host', 'hooks', 'generation', 'hotplug',
    ],
  }),
  { describe, it },
);
