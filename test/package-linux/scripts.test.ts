// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { bashCompletion } from '../../packaging/bash-completion.ts';
import { maintainerScript } from '../../packaging/layout.ts';
import { packagingFile } from '../../packaging/places.ts';
import { standaloneScript } from '../../packaging/shell-script.ts';
import { installed } from './lib/packages.ts';

const scripts: readonly (readonly [name: string, text: string])[] = [
  ...['debian/postinst', 'debian/prerm', 'debian/postrm', 'rpm/post', 'rpm/posttrans', 'rpm/preun', 'rpm/postun'].map((name) => [name, maintainerScript(packagingFile(`${name}.sh`))] as const),
  ...['tarball/install', 'tarball/uninstall'].map((name) => [name, standaloneScript(packagingFile(`${name}.sh`))] as const),
];

const lacks = (program: string): string => (installed(program) === undefined ? ` (needs ${program})` : '');

describe('the scripts of the packages', () => {
  // Each has all that they share: variables and functions that this one does not use (SC2034, SC2317, SC2329).
  it.skipIf(lacks('shellcheck') !== '').each(scripts)(`pass shellcheck: %s${lacks('shellcheck')}`, (_, text) => {
    const { stdout } = spawnSync('shellcheck', ['--shell=sh', '--exclude=SC2034,SC2317,SC2329', '-'], { input: text, encoding: 'utf8' });

    expect(stdout).toBe('');
  });

  it('pass shellcheck as a service of OpenRC, whose variables the framework reads', (context) => {
    if (installed('shellcheck') === undefined) context.skip('needs shellcheck');

    const { stdout } = spawnSync('shellcheck', ['--shell=sh', '--exclude=SC2034', '-'], { input: packagingFile('openrc/concierge-ga'), encoding: 'utf8' });

    expect(stdout).toBe('');
  });

  it('pass shellcheck as a service of sysvinit', (context) => {
    if (installed('shellcheck') === undefined) context.skip('needs shellcheck');

    const { stdout } = spawnSync('shellcheck', ['--shell=sh', '-'], { input: packagingFile('sysvinit/concierge-ga'), encoding: 'utf8' });

    expect(stdout).toBe('');
  });

  it('complete options, commands and lists of commands in bash', () => {
    const complete = (line: string): string => {
      const words = line.split(' ');
      const helpers = '_init_completion() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD split=false; }; _filedir() { :; }; compopt() { :; }';
      const script = `${helpers}\n${bashCompletion()}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}\n_concierge_ga\nprintf '%s ' "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim();
    };

    expect(complete('concierge-ga --fsf')).toBe('--fsfreeze-hook --fsfreeze-exclude');
    expect(complete('concierge-ga tha')).toBe('thaw');
    expect(complete('concierge-ga -m is')).toBe('isa-serial');
    expect(complete('concierge-ga -b guest-ping,guest-exec-s')).toBe('guest-ping,guest-exec-status');
  });
});
