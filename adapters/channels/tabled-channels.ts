// SPDX-License-Identifier: Apache-2.0
import { bad } from '../../core/diagnosis/finding.ts';
import { AgentError } from '../../core/errors/agent-error.ts';
import type { ChannelMethod, ChannelOptions, Channels, Finding, Transport } from '../../core/ports/index.ts';

/** One channel of a system. */
export interface ChannelRow {
  /** The transport, not yet open. What it needs is imported only now. */
  make(path: string, options: ChannelOptions): Promise<Transport>;
  /** As `Channels.appears`; absent: its coming cannot be noticed. */
  readonly appears?: (path: string, signal: AbortSignal) => Promise<boolean>;
  /** As `Channels.examine`. */
  readonly examine?: (path: string) => Promise<readonly Finding[]>;
}

/** The channels of a system, from a table with one row for each method. */
export function tabledChannels<const Methods extends readonly ChannelMethod[]>(
  methods: Methods,
  table: Readonly<Record<Methods[number]['name'], ChannelRow>>,
): Channels {
  const rows = new Map<string, ChannelRow>(Object.entries(table));
  return {
    methods,
    async create(method, path, options) {
      const row = rows.get(method);
      if (row === undefined) throw AgentError.failed(`unsupported channel method/type: ${method}`);
      return row.make(path, options);
    },
    appears: async (method, path, signal) => (await rows.get(method)?.appears?.(path, signal)) ?? false,
    async examine(method, path) {
      const row = rows.get(method);
      if (row === undefined) return [bad('channel', `there is no method ${method}`, `name one of ${methods.map(({ name }) => name).join(', ')} with \`method\``)];
      return (await row.examine?.(path)) ?? [];
    },
  };
}
