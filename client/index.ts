// SPDX-License-Identifier: Apache-2.0
/** The host's side: a typed client for any agent that speaks the QGA protocol. */
export { byCommand, type ByCommandOptions } from './by-command.ts';
export { ClientError, type ClientErrorKind } from './client-error.ts';
export { connectHybridVsock, connectUnix, type ConnectOptions } from './connect.ts';
export { exec, type ExecOptions, type ExecResult } from './exec.ts';
export { Libvirt, libvirtAgent, type AgentEvent, type LibvirtAgentOptions, type LibvirtDomain, type LibvirtOptions } from './libvirt/libvirt.ts';
export { DEFAULT_PIECE } from './piece.ts';
export { readFile, writeFile, type FileOptions, type WriteOptions } from './files.ts';
export { GuestClient, type CallOptions, type ClientOptions, type Input, type Output } from './guest-client.ts';
export type { SingleCommands } from './single-commands.ts';
export { attach, spawn, terminal, type ConversationOptions, type ProgramOptions, type SpawnOptions, type TerminalOptions } from './spawn.ts';
export { GuestProcess, type GuestProcessEvents } from './guest-process.ts';
export { jsonReplacer } from './json-replacer.ts';
export { withAllFrozen, type AllFrozen, type GuestToFreeze, type Held } from './with-all-frozen.ts';
export { withFrozen, type FrozenGuest, type FrozenOptions } from './with-frozen.ts';
export { proxmoxAgent, type ProxmoxOptions } from './proxmox/proxmox.ts';
export type * from './commands.ts';
export { commandNames, type CommandName } from '../core/schema/index.ts';
