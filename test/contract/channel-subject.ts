// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createFakeMachine } from '../../kit/fake/index.ts';
import { scratchOnDisk, type ContractSubject } from '../../kit/contract/index.ts';
import type { Backend } from '../../kit/index.ts';

/** A machine that has these channels, tried on a Unix socket. */
export const subjectWith = (channels: NonNullable<Backend['channels']>) => async (): Promise<ContractSubject> => {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'cc-'));
  const path = join(scratchDirectory, 'socket');
  return {
    backend: { clock: createFakeMachine().backend.clock, channels },
    scratchDirectory,
    scratch: scratchOnDisk,
    knows: {
      channel: {
        method: 'unix-listen',
        path,
        connect: async () => {
          const socket = connect(path);
          await once(socket, 'connect');
          return socket;
        },
      },
    },
    safe: {},
    cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
  };
};
