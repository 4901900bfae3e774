// SPDX-License-Identifier: Apache-2.0
import { endianness } from 'node:os';

import type { Ipv4Route, Ipv6Route } from '../../../core/ports/network.ts';
import { ipv4Text, ipv6Text } from './ip-text.ts';

/** Name, destination, gateway, flags, references, use, metric, mask, MTU, window, round trip. */
const ipv4Line = /^\s*(\S+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+([0-9a-f]+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(?:\s|$)/i;
/** Destination, its prefix, source, its prefix, next hop, metric, references, use, flags, name. */
const ipv6Line = /^\s*([0-9a-f]{32})\s+([0-9a-f]+)\s+([0-9a-f]{32})\s+([0-9a-f]+)\s+([0-9a-f]{32})\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+(\S+)/i;

/** /proc/net/route: a heading, then one route per line. Lines of another form are left out, as in the reference. */
export function parseIpv4Routes(text: string): Ipv4Route[] {
  const routes: Ipv4Route[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [, name, destination, gateway, flags, references, use, metric, mask, mtu, window, irtt] = ipv4Line.exec(line) ?? [];
    if (name === undefined) continue;
    routes.push({
      version: 4,
      interface: name,
      destination: quad(destination),
      gateway: quad(gateway),
      mask: quad(mask),
      metric: Number(metric),
      flags: Number(`0x${flags}`),
      references: Number(references),
      use: Number(use),
      mtu: Number(mtu),
      window: Number(window),
      irtt: Number(irtt),
    });
  }
  return routes;
}

/**
 * /proc/net/ipv6_route, everything hexadecimal. Flags are the unsigned number that the kernel means; the other three
 * are signed 32 bit, as in the reference: a metric of 0xffffffff is −1.
 */
export function parseIpv6Routes(text: string): Ipv6Route[] {
  const routes: Ipv6Route[] = [];
  for (const line of text.split('\n')) {
    const [, destination, destinationPrefix, source, sourcePrefix, nextHop, metric, references, use, flags, name] = ipv6Line.exec(line) ?? [];
    if (name === undefined) continue;
    routes.push({
      version: 6,
      interface: name,
      destination: ipv6(destination),
      destinationPrefix: Number(`0x${destinationPrefix}`),
      source: ipv6(source),
      sourcePrefix: Number(`0x${sourcePrefix}`),
      nextHop: ipv6(nextHop),
      metric: signed(metric),
      flags: Number(`0x${flags}`),
      references: signed(references),
      use: signed(use),
    });
  }
  return routes;
}

const signed = (field: string | undefined): number => Number(`0x${field}`) | 0;

/** The kernel prints the four bytes of the address as one number of the machine's own byte order. */
function quad(field: string | undefined): string {
  const bytes = Buffer.from((field ?? '').padStart(8, '0'), 'hex');
  return ipv4Text(endianness() === 'LE' ? bytes.toReversed() : bytes);
}

const anywhere = '0'.repeat(32);
/** Most sources and next hops are none at all. */
const ipv6 = (field: string | undefined): string => (field === anywhere ? '::' : ipv6Text(Buffer.from(field ?? '', 'hex')));
