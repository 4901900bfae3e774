// SPDX-License-Identifier: Apache-2.0
import { lstatSync } from 'node:fs';

import type { UserSession } from '../../../core/ports/index.ts';
import { attribute, keyValueLines, namesInIfAny } from '../kernel-files.ts';

const directory = '/run/systemd/sessions';

/** Kinds of sessions that utmp would list too: not cron's (`unspecified`), greeters, screen locks and managers. */
const types = new Set(['tty', 'x11', 'wayland', 'mir', 'web']);
const classes = new Set(['user', 'user-early', 'user-light', 'user-early-light']);

/**
 * Sessions as systemd-logind keeps them, oldest first, for systems that no longer write utmp (Debian 13, Fedora 39).
 * The files are systemd's own; it calls their form private, but has kept these keys since its version 183.
 */
export function logindSessions(root: string): UserSession[] {
  return namesInIfAny(`${root}${directory}`)
    .flatMap((name) => sessionIn(`${root}${directory}/${name}`) ?? [])
    .sort((a, b) => a.loginTime - b.loginTime);
}

function sessionIn(path: string): UserSession | undefined {
  // Beside each file lies a FIFO, `7.ref`, whose opening would wait for a writer.
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const values = keyValueLines(attribute(path) ?? '');
  const user = values.get('USER') ?? '';
  const started = values.get('REALTIME') ?? '';
  if (user === '' || !/^\d+$/.test(started) || values.get('STATE') === 'closing') return undefined;
  if (!classes.has(values.get('CLASS') ?? '') || !types.has(values.get('TYPE') ?? '')) return undefined;
  return { user, loginTime: Number(started) / 1e6 };
}
