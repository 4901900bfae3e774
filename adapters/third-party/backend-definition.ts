// SPDX-License-Identifier: Apache-2.0
import { closestName } from '../../core/errors/closest-name.ts';
import { AgentError } from '../../core/errors/agent-error.ts';
import type { Backend } from '../../core/ports/index.ts';
import { capabilities, isCapability, type BackendCapability } from './declared-capabilities.ts';

/** The version of the ports; a backend made for another one is refused at load. */
export const backendApiVersion = 1;

/** What the agent tells a backend when it loads it. */
export interface BackendOptions {
  /** The administrator's hooks, as configured. */
  readonly hooks?: {
    /** One program, where it is configured. */
    readonly script?: string;
    readonly directory?: string;
    /** How long one run of a hook may take, in milliseconds. */
    readonly timeLimitMs: number;
  };
  /** Where the agent keeps its state; writable while every file system is frozen. */
  readonly stateDirectory?: string;
}

/** An operating system, in an envelope that can be checked before anything of it runs. */
export interface BackendDefinition {
  /** Lower-case words with hyphens: `freebsd`, `acme-os`. */
  readonly id: string;
  readonly apiVersion: 1;
  /** Whether this machine is one that the backend serves. Asked before `load`; it changes nothing. */
  readonly detects: () => boolean | Promise<boolean>;
  /** What the loaded backend brings; checked at load, so that a missing group is noticed there and not by a host. */
  readonly capabilities: readonly BackendCapability[];
  /** Makes the backend. Called once; imports what it needs only now. */
  readonly load: (options: BackendOptions) => Backend | Promise<Backend>;
}

const idForm = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/u;

const show = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : String(value));

/** What is wrong with a definition, one sentence each that says what to do; empty when it is right. */
function mistakesOf(definition: Readonly<Record<string, unknown>>): readonly string[] {
  const { id, apiVersion, detects, load, capabilities: declared } = definition;
  const mistakes: string[] = [];
  if (typeof id !== 'string' || !idForm.test(id)) {
    mistakes.push(`'id' is ${show(id)}: make it lower-case words with hyphens that begin with a letter, such as 'acme-os'`);
  }
  if (apiVersion !== backendApiVersion) {
    mistakes.push(`'apiVersion' is ${show(apiVersion)}: this agent loads version ${backendApiVersion}; use the backend's release for it`);
  }
  if (typeof detects !== 'function') mistakes.push("'detects' is missing: make it a function that answers whether the backend serves this machine");
  if (typeof load !== 'function') mistakes.push("'load' is missing: make it a function that answers the backend");
  if (!Array.isArray(declared)) {
    mistakes.push("'capabilities' is missing: list what the backend brings, such as 'fileSystem.files'");
  } else {
    const unknown = declared.filter((name) => !isCapability(name));
    const meant = unknown.map((name) => closestName(String(name), capabilities));
    if (unknown.length > 0) {
      mistakes.push(`'capabilities' has ${unknown.map(show).join(', ')}: ${meant.includes(undefined) ? `there are only ${capabilities.join(', ')}` : `did you mean ${meant.map(show).join(', ')}?`}`);
    }
  }
  return mistakes;
}

const isDefinition = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

function assertDefinition(value: unknown, origin: string): asserts value is BackendDefinition {
  if (!isDefinition(value)) {
    const what = value === undefined ? "exports no 'backend'" : `is ${show(value)} and no backend`;
    throw AgentError.failed(`${origin} ${what}: export what defineBackend({ id, apiVersion: 1, … }) answers as 'backend'`);
  }
  const mistakes = mistakesOf(value);
  if (mistakes.length > 0) throw AgentError.failed(`${origin} is no backend that can be loaded: ${mistakes.join('; ')}`);
}

/**
 * Declares a backend. A package exports the result as `backend`.
 *
 * @throws failed error that says what to fix
 */
export function defineBackend(definition: BackendDefinition): BackendDefinition {
  assertDefinition(definition, 'what was given to defineBackend');
  return definition;
}

/**
 * The definition that a package exports, as `backend` or as its default.
 *
 * @param loaded the namespace of the imported module
 * @param origin its name, for errors
 * @throws failed error that says what to fix
 */
export function definitionIn(loaded: Readonly<Record<string, unknown>>, origin: string): BackendDefinition {
  const value = loaded['backend'] ?? loaded['default'];
  assertDefinition(value, `the backend package '${origin}'`);
  return value;
}
