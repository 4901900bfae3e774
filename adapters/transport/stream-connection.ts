import type { Duplex } from 'node:stream';

import type { Connection, ConnectionSink } from '../../core/ports/index.ts';

/** A stream of Node as the agent's end of a conversation. */
export function streamConnection(stream: Duplex): Connection {
  return {
    start: (sink: ConnectionSink) => {
      let over = false;
      const end = (): void => {
        if (over) return;
        over = true;
        sink.closed();
      };
      stream.on('data', (chunk: Buffer) => sink.data(chunk));
      stream.on('drain', () => sink.drained());
      stream.once('end', end);
      stream.once('close', end);
      stream.on('error', end);
    },
    write: (bytes) => (stream.writable ? stream.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes) : true),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    close: () => void stream.destroy(),
  };
}
