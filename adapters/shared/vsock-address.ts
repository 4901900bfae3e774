// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';

export interface VsockAddress {
  readonly cid: number;
  readonly port: number;
}

const MAXIMUM = 0xff_ff_ff_ff;

/**
 * `CID:PORT`, both unsigned 32-bit decimal numbers; CID 4294967295 means any.
 * @throws failed error in qemu-ga's words: `Failed to parse cid 'X'`
 */
export function parseVsockAddress(text: string): VsockAddress {
  const [cid, port, ...more] = text.split(':');
  if (cid === undefined || cid === '' || port === undefined || port === '') throw AgentError.failed(`error parsing address '${text}' (it is CID:PORT, as in 4294967295:1024)`);
  if (more.length > 0) throw AgentError.failed(`trailing characters in address '${text}'`);
  return { cid: number(cid, 'cid'), port: number(port, 'port') };
}

function number(text: string, what: string): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Infinity;
  if (value > MAXIMUM) throw AgentError.failed(`Failed to parse ${what} '${text}'`);
  return value;
}
