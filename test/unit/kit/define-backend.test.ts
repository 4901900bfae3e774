// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine } from '../../../kit/fake/index.ts';
import { defineBackend, type BackendDefinition } from '../../../kit/index.ts';
import { definitionIn } from '../../../adapters/third-party/backend-definition.ts';
import { loadBackend } from '../../../kit/contract/index.ts';

const definition = (different: object = {}): BackendDefinition => ({
  id: 'acme-os',
  apiVersion: 1,
  detects: () => true,
  capabilities: ['network.interfaces'],
  load: () =>
    createFakeMachine({
      without: [
        'clock.setting', 'clock.references', 'fileSystem', 'power', 'network.routes', 'processes', 'accounts', 'processors', 'memory', 'host', 'hooks', 'generation', 'hotplug',
      ],
    }).backend,
  ...different,
});

describe('a backend of a third party', () => {
  it('is taken when its envelope is right, and loaded when it brings what it declares', async () => {
    const backend = await loadBackend(defineBackend(definition()));

    expect(backend.network?.interfaces).toBeDefined();
  });

  it.each([
    ['an id with capitals', { id: 'AcmeOS' }, /'id' is 'AcmeOS': make it lower-case words with hyphens/u],
    ['another version of the ports', { apiVersion: 2 }, /'apiVersion' is 2: this agent loads version 1/u],
    ['no way to load it', { load: undefined }, /'load' is missing: make it a function/u],
    ['no way to detect its system', { detects: 'linux' }, /'detects' is missing/u],
    ['a capability that there is not', { capabilities: ['fileSystem.file'] }, /'capabilities' has 'fileSystem\.file': did you mean 'fileSystem\.files'\?/u],
    ['a capability like none', { capabilities: ['telepathy'] }, /'capabilities' has 'telepathy': there are only .*fileSystem\.files/u],
    ['no list of capabilities', { capabilities: 'all' }, /'capabilities' is missing/u],
  ])('is refused with %s, and told what to do', (_, different, text) => {
    expect(() => defineBackend(definition(different))).toThrow(text);
  });

  it('is told of all its mistakes at once', () => {
    expect(() => defineBackend(definition({ id: '', apiVersion: '1', load: 1 }))).toThrow(/'id'.*; 'apiVersion'.*; 'load'/u);
  });

  it('is found in a module under its name or as the default', () => {
    const one = definition();

    expect(definitionIn({ backend: one }, 'acme')).toBe(one);
    expect(definitionIn({ default: one }, 'acme')).toBe(one);
    expect(() => definitionIn({}, 'acme')).toThrow(/the backend package 'acme' exports no 'backend': export/u);
  });

  it('is refused when it does not bring what it declares', async () => {
    const loading = loadBackend(definition({ capabilities: ['network.interfaces', 'processes'] }));

    await expect(loading).rejects.toThrow("the backend 'acme-os' declares processes and does not bring it");
  });

  it('is refused when it brings what it does not declare', async () => {
    await expect(loadBackend(definition({ capabilities: [] }))).rejects.toThrow(/brings network\.interfaces and does not declare it: add it/u);
  });

  it('is refused without a clock', async () => {
    await expect(loadBackend(definition({ load: () => ({}) }))).rejects.toThrow(/brings no clock/u);
  });
});
