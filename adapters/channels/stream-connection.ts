// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';

import type { Connection, ConnectionSink } from '../../core/ports/index.ts';

/**
 * A stream of Node as the agent's end of a conversation. Where the stream may be half open (`allowHalfOpen`), a host that has
 * said everything and closed its side still gets the answers: its end is told when nothing is worked on any more.
 */
export function streamConnection(stream: Duplex): Connection {
  let paused = false;
  let ended = false;
  let tell = (): void => {};
  return {
    start: (sink: ConnectionSink) => {
      let over = false;
      tell = (): void => {
        if (over) return;
        over = true;
        sink.closed();
        // Answers that wait to be sent are sent before it is closed.
        if (!stream.destroyed) stream.end();
      };
      stream.on('data', (chunk: Buffer) => sink.data(chunk));
      stream.on('drain', () => sink.drained());
      stream.once('end', () => {
        ended = true;
        // Paused: an answer is on its way, and `resume` comes after it.
        if (!paused) tell();
      });
      stream.once('close', () => tell());
      stream.on('error', () => tell());
    },
    write: (bytes) => (stream.writable ? stream.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes) : true),
    pause: () => {
      paused = true;
      stream.pause();
    },
    resume: () => {
      paused = false;
      if (ended) tell();
      else stream.resume();
    },
    close: () => void stream.destroy(),
  };
}
