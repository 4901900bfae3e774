// SPDX-License-Identifier: Apache-2.0
import type { Ready } from './file-system.ts';

/** Addresses, links and routes of the guest. */
export interface Network {
  readonly interfaces?: {
    /** Every interface by index, each name once; addresses in the system's order. */
    list(): Promise<readonly NetworkInterface[]>;
  };
  readonly routes?: {
    /** IPv4 routes, then IPv6; a family that the guest does not have contributes none. */
    list(): Ready<readonly NetworkRoute[]>;
  };
}

export interface NetworkInterface {
  readonly name: string;
  /** Six lower-case hexadecimal bytes with colons; absent where the link has no address. */
  readonly hardwareAddress?: string;
  readonly addresses: readonly IpAddress[];
  readonly statistics?: InterfaceStatistics;
}

export interface IpAddress {
  readonly family: 'ipv4' | 'ipv6';
  /** Text form; with `%scope` only where the system's own tools print it (Windows). */
  readonly address: string;
  readonly prefix: number;
}

/** Counters since the interface came up, unsigned 64 bit. */
export interface InterfaceStatistics {
  readonly rxBytes: bigint;
  readonly rxPackets: bigint;
  readonly rxErrors: bigint;
  readonly rxDropped: bigint;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly txDropped: bigint;
}

export type NetworkRoute = Ipv4Route | Ipv6Route;

export interface Ipv4Route {
  readonly version: 4;
  readonly interface: string;
  /** Dotted quads. */
  readonly destination: string;
  readonly gateway: string;
  readonly mask: string;
  readonly metric: number;
  /** These six where the system keeps them: Linux does, Windows does not. */
  readonly flags?: number;
  readonly references?: number;
  readonly use?: number;
  readonly mtu?: number;
  readonly window?: number;
  readonly irtt?: number;
}

export interface Ipv6Route {
  readonly version: 6;
  readonly interface: string;
  readonly destination: string;
  readonly destinationPrefix: number;
  readonly source: string;
  readonly sourcePrefix: number;
  readonly nextHop: string;
  readonly metric: number;
  readonly flags?: number;
  readonly references?: number;
  readonly use?: number;
}
