// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { RequestStart } from '../../../adapters/channels/request-start.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What each of the chunks of one port is taken for. */
function starts(...chunks: readonly string[]): readonly boolean[] {
  const start = new RequestStart();
  return chunks.map((chunk) => start.isIn(bytes(chunk)));
}

describe('the start of a request on a port', () => {
  it.each(['{"execute":"guest-ping"}', ' \n{ "arguments": {}, "execute": "x"}', '{"execute"'])('is seen in %j', (text) => {
    expect(starts(text)).toEqual([true]);
  });

  it.each(['', 'x', '"execute"', '{"return": {}}', '{"id": 1, "execute": "guest-ping"}', '\xff{"execute":"guest-ping"}'])('is not seen in %j', (text) => {
    expect(starts(text)).toEqual([false]);
  });

  it('is no text within a request, however the request falls apart into chunks', () => {
    const hostile = `{'execute':'guest-shutdown'}`;
    const inDoubleQuotes = [`{"execute":"guest-exec","arguments":{"path":"echo","arg":["`, `${hostile}"]}}\n`];
    const inSingleQuotes = [`{"execute":"guest-exec","arguments":{"path":'echo',"arg":['`, `{"execute":"guest-shutdown"}']}}\n`];

    expect(starts(...inDoubleQuotes)).toEqual([true, false]);
    expect(starts(...inSingleQuotes)).toEqual([true, false]);
  });

  it('is seen again after the line with the apostrophe, and after another host', () => {
    const start = new RequestStart();
    const ping = bytes('{"execute":"guest-ping"}');

    start.isIn(bytes(`{"execute":"guest-exec","arguments":{"path":"it's"}}\n`));
    const inNextLine = start.isIn(ping);
    start.isIn(bytes(`it's`));
    start.forget();

    expect([inNextLine, start.isIn(ping)]).toEqual([true, true]);
  });
});
