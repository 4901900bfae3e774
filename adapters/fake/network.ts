// SPDX-License-Identifier: Apache-2.0
import type { Network, NetworkInterface, NetworkRoute } from '../../core/ports/index.ts';

/** Links and routes of the fake; a test may push to and splice the lists. */
export class FakeNetwork {
  readonly interfaces: NetworkInterface[];
  readonly routes: NetworkRoute[];

  constructor(interfaces: readonly NetworkInterface[], routes: readonly NetworkRoute[]) {
    this.interfaces = [...interfaces];
    this.routes = [...routes];
  }

  port(): Required<Network> {
    return {
      interfaces: { list: async () => [...this.interfaces] },
      routes: { list: async () => this.routes.toSorted((one, other) => one.version - other.version) },
    };
  }
}
