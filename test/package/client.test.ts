// SPDX-License-Identifier: Apache-2.0
/** The package concierge-client as it is published: packed, installed in an empty folder, and used on the Nodes that hosts have. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';

import { commands } from '../../core/schema/index.ts';
import { ended, mustEnd, root, startAgent, type StartedAgent } from './installed.ts';

let directory: string;
let tarball: string;
let agent: StartedAgent;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-client-'));
  await mustEnd(process.execPath, [join(root, 'scripts/build-client.ts')], root);
  await mustEnd('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], join(root, 'client'));
  tarball = join(directory, readdirSync(directory).find((name) => name.endsWith('.tgz')) ?? '');
  writeFileSync(join(directory, 'package.json'), '{ "private": true, "type": "module" }\n');
  await mustEnd('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], directory);
  mkdirSync(join(directory, 'state'), { mode: 0o700 });
  agent = await startAgent(join(root, 'bin/concierge-ga'), ['--backend', 'fake'], join(directory, 'state'));
});

afterAll(async () => {
  await agent.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Where the registry is not reached and nothing is in npm's cache, the test is skipped and says so. */
async function install(project: string, skip: TestContext['skip'], ...packages: readonly string[]): Promise<void> {
  const { status, out, err } = await ended('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], project);
  if (status === 0) return;
  if (/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ENOTCACHED)\b/.test(err)) skip(`needs the registry of npm for ${packages.at(-1) ?? ''}`);
  throw new Error(`npm install ${packages.join(' ')} ended with ${status}:\n${out}\n${err}`);
}

/** Which commands, arguments and members an editor knows no explanation of: by the language service, from the package as it is installed. */
function explanations(project: string): Promise<string> {
  const script = `
    import ts from 'typescript';
    const program = ts.createProgram(['use.ts'], { module: ts.ModuleKind.NodeNext, strict: true, noEmit: true });
    const checker = program.getTypeChecker();
    const use = program.getSourceFile('use.ts');
    const entry = checker.getExportsOfModule(checker.getSymbolAtLocation(use.statements[0].moduleSpecifier)).find(({ name }) => name === 'Commands');
    const silent = [];
    const seen = new Set();
    const look = (type, path) => {
      if (type.isUnion()) return type.types.forEach((one) => look(one, path));
      if (seen.has(type) || (type.flags & ts.TypeFlags.Object) === 0) return;
      seen.add(type);
      const element = checker.isArrayType(type) ? checker.getTypeArguments(type)[0] : undefined;
      if (element !== undefined) return look(element, path);
      for (const member of type.getProperties()) {
        if (member.getDocumentationComment(checker).length === 0) silent.push(path + '.' + member.name);
        look(checker.getTypeOfSymbol(member), path + '.' + member.name);
      }
    };
    const known = checker.getDeclaredTypeOfSymbol((entry.flags & ts.SymbolFlags.Alias) === 0 ? entry : checker.getAliasedSymbol(entry)).getProperties();
    for (const command of known) {
      if (command.getDocumentationComment(checker).length === 0) silent.push(command.name);
      for (const side of checker.getTypeOfSymbol(command).getProperties()) look(checker.getTypeOfSymbol(side), command.name + '.' + side.name);
    }
    console.log(JSON.stringify({ commands: known.length, silent }));
  `;
  writeFileSync(join(project, 'explanations.mjs'), script);
  return mustEnd(process.execPath, [join(project, 'explanations.mjs')], project);
}

/** The script of its README, with what a user's own folder has around it. */
function example(): string {
  const script = /```js\n([^]*?)```/.exec(readFileSync(join(root, 'client/README.md'), 'utf8'))?.[1] ?? '';
  writeFileSync(join(directory, 'example.js'), script);
  return join(directory, 'example.js');
}

describe('concierge-client', () => {
  it('is one package without scripts of installation', () => {
    const installed = JSON.parse(readFileSync(join(directory, 'node_modules/concierge-client/package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>;

    expect(readdirSync(join(directory, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['concierge-client']);
    expect([installed['dependencies'], installed['optionalDependencies'], installed['peerDependencies']]).toEqual([undefined, undefined, undefined]);
    expect(Object.keys(installed['scripts'] ?? {}).filter((name) => /install|^prepare$/.test(name))).toEqual([]);
  });

  it('has the version of the agent', () => {
    const versionOf = (path: string): string => (JSON.parse(readFileSync(join(root, path), 'utf8')) as { readonly version: string }).version;

    expect(versionOf('client/package.json')).toBe(versionOf('package.json'));
  });

  it('is clean for publint, and its types fit what Node loads', async () => {
    expect(await ended(join(root, 'node_modules/.bin/publint'), ['--strict', tarball], root)).toMatchObject({ status: 0 });
    expect(await ended(join(root, 'node_modules/.bin/attw'), ['--profile', 'esm-only', tarball], root)).toMatchObject({ status: 0 });
  });

  it.for(['5.9.3', '7.0.2'])('compiles for a user with TypeScript %s', async (version, { skip }) => {
    const project = join(directory, `typescript-${version}`);
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
    await install(project, skip, tarball, `typescript@${version}`, '@types/node@24.19.2');
    writeFileSync(join(project, 'use.ts'), `
      import { connectUnix, GuestClient, withFrozen, type CommandName } from 'concierge-client';
      const guest = new GuestClient(await connectUnix('/x'));
      const { 'host-name': name }: { readonly 'host-name': string } = await guest.execute('guest-get-host-name');
      const frozen: bigint = await withFrozen(guest, async ({ count }) => count);
      // @ts-expect-error -- no such argument
      await guest.execute('guest-file-open', { paht: '' });
      const command: CommandName = 'guest-ping';
      // @ts-expect-error -- no such mode
      await guest.execute('guest-file-open', { path: '', mode: 'x' });
      const bus: 'virtio' | undefined = (await guest.execute('guest-get-disks'))[0]?.address?.['bus-type'] === 'virtio' ? 'virtio' : undefined;
      console.log(name, frozen, command, bus);
    `);
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({
      compilerOptions: { module: 'nodenext', target: 'es2022', strict: true, skipLibCheck: false, exactOptionalPropertyTypes: true, noEmit: true, types: ['node'] },
      files: ['use.ts'],
    }));

    await mustEnd(join(project, 'node_modules/.bin/tsc'), [], project);
    // That of TypeScript 7 is another interface.
    if (version.startsWith('5.')) expect(JSON.parse(await explanations(project))).toEqual({ commands: commands.length, silent: [] });
  });

  it('runs the script of its README', async () => {
    expect(await mustEnd(process.execPath, [example(), agent.socket], directory)).toMatch(/^fake, Debian GNU\/Linux 13 \(trixie\): 4 file systems were frozen\n$/);
  });

  // The first is the oldest that package.json promises.
  it.for(['20.11.1', '22.23.3', '24.21.0'])('runs it on Node %s, and concierge-ctl', async (version, { skip }) => {
    const project = join(directory, `node-${version}`);
    mkdirSync(project);
    // The package `node` fetches its program in an install script.
    writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }));
    await install(project, skip, `node@${version}`);
    const node = join(project, 'node_modules/node/bin/node');
    const ctl = (...words: string[]): Promise<string> => mustEnd(node, [join(directory, 'node_modules/concierge-client/bin/concierge-ctl.js'), ...words], directory);

    expect(await mustEnd(node, ['--version'], directory)).toBe(`v${version}\n`);
    expect(await mustEnd(node, [example(), agent.socket], directory)).toContain('4 file systems were frozen');
    expect(await ctl('--version')).toMatch(/^concierge-ctl \d+\.\d+\.\d+\n$/);
    expect(await ctl('--socket', agent.socket, 'os')).toContain('Debian');
    await ctl('--socket', agent.socket, 'cp', 'guest:/etc/hostname', join(project, 'copied'));
    expect(existsSync(join(project, 'copied'))).toBe(true);
    await ctl('--socket', agent.socket, 'frozen', '--', 'true');
  });
});
