// SPDX-License-Identifier: Apache-2.0
import { isMap } from 'yaml';

import { posixCodes, type PosixCode } from '../../../core/errors/posix-errno.ts';
import { duration, flag, record, required, size, tagged, text, whole, word, type MemberShapes, type Shape } from '../../shared/yaml-shape.ts';
import { places } from './places.ts';
import type { Entry } from './scenario.ts';

const errno: Shape<PosixCode> = word('errno', posixCodes);
const phase = word('phase', ['freeze', 'freezefail', 'thaw']);
const of = required(text);

const actions: Readonly<Record<Entry['do'], MemberShapes>> = {
  'freeze-hangs': { of, for: duration },
  'freeze-fails': { of, error: errno },
  'thaw-hangs': { of, for: duration },
  'thaw-fails': { of, error: errno },
  dirty: { of, bytes: required(size), flush: duration },
  fill: { of },
  free: { of },
  'freeze-behind': { of },
  'thaw-behind': { of },
  'holder-dies': {},
  'hook-fails': { name: required(text), phase, output: text },
  'hook-hangs': { name: required(text), phase, for: required(duration) },
  'clock-jumps': { by: required(duration) },
  restored: { by: required(duration) },
  forked: {},
  'agent-dies': { restart: (node, reading) => (node !== null && 'value' in node && node.value === 'never' ? 'never' : duration(node, reading)) },
  'answer-lost': {},
  'answer-late': { by: required(duration) },
  'answer-cut': { bytes: size },
  'answer-garbled': { text },
  'connection-drops': {},
  fault: {
    port: required(text), method: required(text), about: text, error: errno, hang: flag, delay: duration,
    times: (node, reading) => (node !== null && 'value' in node && node.value === 'always' ? 'always' : whole(node, reading)),
  },
  release: {},
};

/** Remembers where it stands, for what only the machine can find wrong with it. */
const placed = (shape: Shape<Entry>): Shape<Entry> => (node, reading) => {
  const entry = shape(node, reading);
  if (entry !== undefined) places.set(entry, reading.placeOf(node));
  return entry;
};

/** @param commands the names that `on` may have; any where absent */
export const entryShape = (commands: readonly string[] | undefined): Shape<Entry> => {
  const name = commands === undefined ? text : word('command', commands);
  const shapes = Object.fromEntries(
    Object.entries(actions).map(([action, members]): [string, Shape<Entry>] => {
      const does = { do: required(word('action', [action])), ...members };
      const timed = record(`'${action}'`, { ...does, at: required(duration) }) as Shape<Entry>;
      const asked = record(`'${action}'`, { ...does, on: required(name), nth: whole, every: flag, after: duration }) as Shape<Entry>;
      return [action, placed((node, reading) => {
        const isAsked = isMap(node) && node.has('on');
        if (isAsked && node.has('at')) {
          reading.wrong(node, "'at' and 'on' exclude each other: it happens at a time or with a command");
          return undefined;
        }
        return (isAsked || action.startsWith('answer-') ? asked : timed)(node, reading);
      })];
    }),
  );
  return tagged('an entry of the timeline', 'do', shapes);
};
