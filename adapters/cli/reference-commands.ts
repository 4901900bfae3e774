// SPDX-License-Identifier: Apache-2.0
import { hasCapability } from '../../core/ports/capabilities.ts';
import type { Backend } from '../../core/ports/index.ts';
import { commands } from '../../core/schema/index.ts';

/** Those of the reference: what a backend is measured by. */
export const measured = commands.filter(({ name }) => name.startsWith('guest-'));

/** Names of those that exist with this backend. */
export const commandsOf = (backend: Backend): readonly string[] =>
  measured.filter(({ needs }) => needs === undefined || hasCapability(backend, needs)).map(({ name }) => name);

/** Names of the others. */
export const lackingCommands = (brought: readonly string[]): readonly string[] => measured.map(({ name }) => name).filter((name) => !brought.includes(name));
