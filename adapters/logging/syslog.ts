// SPDX-License-Identifier: Apache-2.0
/** Sends one datagram to a Unix socket without waiting; throws where nobody listens. */
export type SendDatagram = (path: string, bytes: Uint8Array) => void;

/** Facility daemon (3), severity informational (6): RFC 3164, section 4.1.1. */
const priority = 3 * 8 + 6;

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The datagram that syslog(3) would send; local time, as it does. */
export function syslogDatagram(ident: string, pid: number, text: string, at: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = String(at.getDate()).padStart(2, ' ');
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `<${priority}>${months[at.getMonth()] ?? ''} ${day} ${time} ${ident}[${pid}]: ${text}`;
}

/** Where accounting lines go besides the log. A machine without syslog loses nothing but these. */
export function syslog(send: SendDatagram, ident: string): (text: string, at: bigint) => void {
  return (text, at) => {
    try {
      send('/dev/log', Buffer.from(syslogDatagram(ident, process.pid, text, new Date(Number(at / 1_000_000n)))));
    } catch {
      // Nobody listens, or its queue is full: syslog(3) loses the line as well.
    }
  };
}
