// SPDX-License-Identifier: Apache-2.0
import type { Channels } from '../../core/ports/index.ts';

/** Where neither the backend nor this package has channels of the system: a Unix socket of Node's own. */
export const portableChannels: Channels = {
  methods: [{ name: 'unix-listen' }],
  async create(_method, path, { log }) {
    const { StreamServer } = await import('./stream-server.ts');
    return new StreamServer(path, { log });
  },
};
