// SPDX-License-Identifier: Apache-2.0
import type { Channels } from '../../core/ports/index.ts';

/** A backend's own channels and those of the system under it: a name of both is the backend's. */
export function joinedChannels(own: Channels, system: Channels): Channels {
  const isOwn = (method: string): boolean => own.methods.some(({ name }) => name === method);
  const of = (method: string): Channels => (isOwn(method) ? own : system);
  return {
    methods: [...own.methods, ...system.methods.filter(({ name }) => !isOwn(name))],
    create: (method, path, options) => of(method).create(method, path, options),
    appears: async (method, path, signal) => (await of(method).appears?.(method, path, signal)) ?? false,
    examine: async (method, path) => (await of(method).examine?.(method, path)) ?? [],
  };
}
