// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dumpConfiguration } from '../../../adapters/config/dump.ts';
import { readSettings, type Request } from '../../../adapters/config/settings.ts';
import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';

const recordings = new URL('../../wire/golden-11.1/cli.jsonl', import.meta.url);

interface Recorded {
  readonly name: string;
  readonly words: readonly string[];
  readonly config: string | undefined;
  /** Of runs that end by themselves. */
  readonly exit?: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Records of command lines; those of state files are another test's. */
function records(): readonly Recorded[] {
  return readFileSync(recordings, 'utf8').split('\n').filter(Boolean).flatMap((line) => {
    const record = JSON.parse(line) as { name: string; request: readonly string[]; enc: string; responses: [string]; note: string };
    if (record.enc !== 'json') return [];
    const config = /^ config: (".*")$/s.exec(record.note)?.[1];
    const written = config === undefined ? undefined : (JSON.parse(config) as string);
    return [{ name: record.name, words: record.request, config: written, ...(JSON.parse(record.responses[0]) as Omit<Recorded, 'name' | 'words' | 'config'>) }];
  });
}

/** Files that a record needs and that its note does not show. */
const unshown: Readonly<Record<string, Buffer>> = {
  'conf latin1 path': Buffer.concat([Buffer.from('[general]\npath=/'), Buffer.of(0xe4), Buffer.from('\n')]),
  '-c twice': Buffer.from('nonsense\n'),
};

const environment: Readonly<Record<string, string>> = { 'conf missing QGA_CONF': '$TMP/cli/nonexist', 'conf is a directory QGA_CONF': '$TMP/cli' };

function ask({ name, words, config }: Recorded): Request {
  return readSettings({
    words,
    configurationVariable: environment[name],
    platform: 'posix',
    readFile: (path) => {
      if (path === '$TMP/cli') throw AgentError.failed('Not a regular file');
      const bytes = unshown[name] ?? (config === undefined ? undefined : Buffer.from(config));
      if (path !== '$TMP/cli/conf' || bytes === undefined) throw posixError('ENOENT', { path });
      return bytes;
    },
  });
}

/** The sentence of GLib's default log line (the state directory is looked at later than the command line), without quotes and other letters that the recording's locale lost. */
const sentence = (stderr: string): string | undefined => /CRITICAL \*\*: [\d:.]+: (?!unable to access state file)(.*)\n/.exec(stderr)?.[1];
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]+/g, '?').replace(/\?+/g, '?');

describe('command lines recorded with qemu-ga 11.1', () => {
  it.each(records().map((record) => [record.name, record] as const))('%s', (_, record) => {
    const asked = ask(record);

    const critical = sentence(record.stderr);
    if (record.stderr.includes('$EXE:')) expect(record.stderr).toContain(`$EXE: ${asked.complaints[0]}\n`);
    if (critical !== undefined) {
      expect(asked.kind).toBe('refused');
      expect(ascii('reason' in asked ? asked.reason : '').startsWith(ascii(critical))).toBe(true);
    } else if (record.stdout.startsWith('[general]')) {
      expect('settings' in asked && dumpConfiguration(asked.settings, 'posix')).toBe(record.stdout);
    } else if (record.exit === 0) {
      expect(asked.kind).toBe(record.stdout.startsWith('Usage') ? 'help' : record.stdout.startsWith('guest-') ? 'list-commands' : 'version');
    } else if (record.stdout.startsWith('Unknown option')) {
      expect(asked.kind).toBe('misused');
    } else {
      expect(asked.kind).toBe('run');
    }
  });
});
