// SPDX-License-Identifier: Apache-2.0
import type { Audit, Backend, Channels, Connection, Keeper, KeptDescriptors, StateStore, Transport } from '../../core/ports/index.ts';
import type { PolicyRules } from '../../core/policy/policy.ts';
import type { Settings } from '../config/settings.ts';
import type { ProcessLog } from '../logging/process-log.ts';
import type { LoadedPolicy } from '../policy/load-policy.ts';
import type { ActivatedSocket } from '../linux/channels/socket-activation.ts';

/** What the driving side makes before it asks for an agent: it has to log and to lock when everything else fails. */
export interface AgentContext {
  readonly settings: Settings;
  readonly log: ProcessLog;
  readonly stateStore: StateStore;
  /** Who is told what hosts made the guest do. */
  readonly audit?: Audit;
  /** The service manager's socket, where there is one. */
  readonly activated: ActivatedSocket | undefined;
  /** What outlives the agent, where anything does. */
  readonly kept?: KeptDescriptors;
  readonly keeper?: Keeper;
  /** Told in a few words how the channel is, each time that this changes, where that can be otherwise than open. */
  readonly channelIs?: (state: string) => void;
  /** The same of a channel besides the first, with its name. */
  readonly furtherChannelIs?: (name: string, state: string) => void;
}

/** A channel besides the first one. It is waited for, and never lost. */
export interface FurtherTransport {
  readonly name: string;
  readonly transport: Transport;
}

/** An agent that is put together and not yet reachable. */
export interface AgentParts {
  readonly agent: {
    /** Puts other rules in force. Absent: it keeps those that it was made with. */
    usePolicy?(rules: PolicyRules): void;
    /** What changes while something is frozen. */
    readonly freeze?: { readonly isFrozen: boolean } | undefined;
    serve(connection: Connection, channel?: string): void;
    /** The channel is open: from now on it may go to sleep. Absent: it never does. */
    ready?(): void;
    /** Thaws whatever is frozen, then ends every conversation. Called once. */
    stop(): Promise<void>;
  };
  readonly transport: Transport;
  readonly further?: readonly FurtherTransport[];
}

/** What `adapters/container.ts` exports. Errors are sentences for the administrator. */
export interface Composition {
  /** Builds everything, and takes over what an earlier agent left frozen. */
  createAgent(context: AgentContext): Promise<AgentParts>;
  /** The rules that the settings name, and what is odd about them. */
  loadPolicy(settings: Settings): Promise<LoadedPolicy>;
  /** The operating system alone, for commands that need no agent. */
  createBackend(settings: Settings): Promise<Backend>;
  /** The ways to the host: those of the backend, and those of the system that the agent runs on. */
  channelsOf(backend?: Backend): Promise<Channels>;
}
