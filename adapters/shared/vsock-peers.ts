// SPDX-License-Identifier: Apache-2.0
import type { Peer } from '../../core/ports/index.ts';

/** VMADDR_CID_HOST of vsock(7). */
export const HOST_CID = 2;

export interface VsockPeers {
  /** Why this peer is not served, or `undefined` where it is. */
  readonly refuses: (cid: number) => string | undefined;
  /** For the log. */
  readonly name: (cid: number, port: number) => string;
  readonly peer: (cid: number, port: number) => Peer;
}

/** Who may talk on a vsock socket, and their names. */
export const vsockPeers = (allowed: readonly number[]): VsockPeers => ({
  refuses: (cid) => (allowed.includes(cid) ? undefined : 'only the host may talk to the agent; vsock-allow lists further CIDs'),
  name: (cid, port) => `CID ${cid} port ${port}`,
  peer: (cid, port) => ({ cid, port }),
});
