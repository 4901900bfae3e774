// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-fuse-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What the rule says of a directory over which a user has mounted a file system that claims to be root's. */
function whyNot(user: number): unknown {
  const place = join(directory, 'place');
  mkdirSync(place, { recursive: true });
  const here = import.meta.dirname;
  // The mount goes with the namespace, and the program that serves it with the pipe.
  const script = `exec 3>&1; python3 "${here}/lying-fuse.py" "${place}" ${user} > "${directory}/said" & served=$!
    until grep -q mounted "${directory}/said"; do kill -0 $served || exit 1; sleep 0.05; done
    "${process.execPath}" "${here}/why-not.ts" "${place}"; umount -l "${place}"; kill $served`;
  return JSON.parse(execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], { encoding: 'utf8' }));
}

const able = process.getuid?.() === 0 && existsSync('/dev/fuse');

it.skipIf(!able)('takes what a program of FUSE says of owners for the word of the user who has mounted it (needs root and /dev/fuse)', () => {
  const place = join(directory, 'place');

  expect(whyNot(65534)).toEqual({ says: [0, 0o755], why: `${place} belongs to user 65534 and not to root: run chown root on it` });
  expect(whyNot(0)).toEqual({ says: [0, 0o755], why: 'trusted' });
});
