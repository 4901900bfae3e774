// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it } from 'vitest';
import { advapi32 } from '../../../adapters/windows/bindings/advapi32.ts';
import { EventLog } from '../../../adapters/windows/event-log.ts';
import { koffi } from '../../../adapters/windows/koffi.ts';

const answered = (result: unknown) => Promise.resolve({ result, lastError: 0 });

/** Replaces a function of the binding until the test ends. */
function replace(name: 'RegisterEventSourceW' | 'ReportEventW', async: (...args: readonly unknown[]) => Promise<unknown>): void {
  Object.defineProperty(advapi32, name, { value: { async }, configurable: true });
}

const originals = Object.getOwnPropertyDescriptors(advapi32);

/** The text that a report of one string points to. */
const textOf = (texts: unknown): string => koffi().decode((texts as Buffer).readBigUInt64LE(), 'char16_t', -1) as string;

describe('the event log of Windows', () => {
  afterEach(() => {
    for (const name of ['RegisterEventSourceW', 'ReportEventW'] as const) Object.defineProperty(advapi32, name, originals[name]);
  });

  it('loses the entry whose call is refused, and writes those that come after it', async () => {
    const written: string[] = [];
    let asked = 0;
    replace('RegisterEventSourceW', async () => {
      asked += 1;
      if (asked === 1) throw new Error('too many asynchronous calls');
      return answered(5n);
    });
    replace('ReportEventW', async (_source, type, _category, _id, _user, _count, _size, texts) => {
      const text = textOf(texts);
      if (text === 'refused') throw new Error('too many asynchronous calls');
      written.push(`${String(type)} ${text}`);
      return answered(1);
    });
    const log = new EventLog();

    log.report('error', 'before there is a source');
    await log.settled();
    log.report('error', 'refused');
    log.report('warning', 'right behind it');
    await log.settled();
    log.report('info', 'later');
    await log.settled();

    expect(written).toEqual(['2 right behind it', '4 later']);
    expect(asked).toBe(2);
  });

  it('asks for a source again while the system has none to give', async () => {
    const written: string[] = [];
    const sources = [0n, 0n, 7n];
    replace('RegisterEventSourceW', async () => answered(sources.shift()));
    replace('ReportEventW', async (source, _type, _category, _id, _user, _count, _size, texts) => {
      written.push(`${String(source)} ${textOf(texts)}`);
      return answered(1);
    });
    const log = new EventLog();

    for (const text of ['first', 'second', 'third', 'fourth']) {
      log.report('info', text);
      await log.settled();
    }

    expect(written).toEqual(['7 third', '7 fourth']);
  });
});
