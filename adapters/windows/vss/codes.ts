// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { errorText, hexCode } from '../system-error.ts';

/** The codes of vsserror.h with a sentence each: the system has no texts for them. */
export const vssCodes: Readonly<Record<number, readonly [name: string, text: string]>> = {
  0x80042301: ['VSS_E_BAD_STATE', 'the call came at the wrong time'],
  0x80042302: ['VSS_E_UNEXPECTED', 'an unexpected error, for which see the event log of the application VSS'],
  0x80042304: ['VSS_E_PROVIDER_NOT_REGISTERED', 'the provider is not registered: run concierge-ga vss install'],
  0x80042306: ['VSS_E_PROVIDER_VETO', 'the provider refused'],
  0x80042308: ['VSS_E_OBJECT_NOT_FOUND', 'there is no such object'],
  0x8004230c: ['VSS_E_VOLUME_NOT_SUPPORTED', 'the volume cannot be part of a snapshot'],
  0x8004230e: ['VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER', 'the provider does not support the volume'],
  0x8004230f: ['VSS_E_UNEXPECTED_PROVIDER_ERROR', 'the provider failed'],
  0x80042312: ['VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED', 'too many volumes'],
  0x80042313: ['VSS_E_FLUSH_WRITES_TIMEOUT', 'the volumes could not be flushed in time'],
  0x80042314: ['VSS_E_HOLD_WRITES_TIMEOUT', 'the system let writes go before the thaw'],
  0x80042315: ['VSS_E_UNEXPECTED_WRITER_ERROR', 'a writer failed'],
  0x80042316: ['VSS_E_SNAPSHOT_SET_IN_PROGRESS', 'another program is making a snapshot'],
  0x80042317: ['VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED', 'too many snapshots'],
  0x80042318: ['VSS_E_WRITER_INFRASTRUCTURE', 'the infrastructure of the writers does not work'],
  0x80042319: ['VSS_E_WRITER_NOT_RESPONDING', 'a writer does not answer'],
  0x8004231b: ['VSS_E_UNSUPPORTED_CONTEXT', 'the context is not supported'],
  0x80042328: ['VSS_E_TRANSACTION_FREEZE_TIMEOUT', 'transactions could not be held in time'],
  0x80042329: ['VSS_E_TRANSACTION_THAW_TIMEOUT', 'transactions were held for too long'],
  0x800423f0: ['VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT', 'not all that the writer needs is in the snapshot'],
  0x800423f1: ['VSS_E_WRITERERROR_OUTOFRESOURCES', 'the writer lacks memory or another resource'],
  0x800423f2: ['VSS_E_WRITERERROR_TIMEOUT', 'the writer could not hold its data in time'],
  0x800423f3: ['VSS_E_WRITERERROR_RETRYABLE', 'the writer failed and may not fail the next time'],
  0x800423f4: ['VSS_E_WRITERERROR_NONRETRYABLE', 'the writer failed and will fail again'],
  0x800423f5: ['VSS_E_WRITERERROR_RECOVERY_FAILED', 'the writer could not be recovered'],
};

const VSS_S_ASYNC_PENDING = 0x0004_2309;
const VSS_S_ASYNC_FINISHED = 0x0004_230a;
export { VSS_S_ASYNC_FINISHED as asyncFinished, VSS_S_ASYNC_PENDING as asyncPending };

/** A code of the table as calls answer it: a signed number. */
function codeOf(name: string): number {
  const entry = Object.entries(vssCodes).find(([, [itsName]]) => itsName === name);
  if (entry === undefined) throw new TypeError(`${name} is not in the table`);
  return Number(entry[0]) | 0;
}

export const badState = codeOf('VSS_E_BAD_STATE');
export const providerNotRegistered = codeOf('VSS_E_PROVIDER_NOT_REGISTERED');
export const objectNotFound = codeOf('VSS_E_OBJECT_NOT_FOUND');
export const holdWritesTimeout = codeOf('VSS_E_HOLD_WRITES_TIMEOUT');
export const unsupportedContext = codeOf('VSS_E_UNSUPPORTED_CONTEXT');
export const writerRetryable = codeOf('VSS_E_WRITERERROR_RETRYABLE');
export const unexpectedProviderError = codeOf('VSS_E_UNEXPECTED_PROVIDER_ERROR');

/** Of a volume that VSS leaves out by its nature. */
export const volumeNotSupported: ReadonlySet<number> = new Set([codeOf('VSS_E_VOLUME_NOT_SUPPORTED'), codeOf('VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER')]);

/** `VSS_E_WRITERERROR_TIMEOUT`; the number where it has no name. */
export const codeName = (code: number): string => vssCodes[code >>> 0]?.[0] ?? hexCode(code);

/** `TEXT: Windows error 0x80042314: VSS_E_HOLD_WRITES_TIMEOUT, the system …`: the shape of qemu-ga's errors of VSS. */
export function vssError(text: string, code: number): AgentError {
  const known = vssCodes[code >>> 0];
  const message = known === undefined ? errorText(code) : `${known[0]}, ${known[1]}`;
  return AgentError.os({ code: codeName(code), errno: code, osText: `${text}: Windows error ${hexCode(code).replace('0X', '0x')}: ${message}`, syscall: 'VSS' });
}

/** VSS_WRITER_STATE of vss.h. */
export const writerStates: readonly string[] = [
  'VSS_WS_UNKNOWN', 'VSS_WS_STABLE', 'VSS_WS_WAITING_FOR_FREEZE', 'VSS_WS_WAITING_FOR_THAW', 'VSS_WS_WAITING_FOR_POST_SNAPSHOT',
  'VSS_WS_WAITING_FOR_BACKUP_COMPLETE', 'VSS_WS_FAILED_AT_IDENTIFY', 'VSS_WS_FAILED_AT_PREPARE_BACKUP', 'VSS_WS_FAILED_AT_PREPARE_SNAPSHOT',
  'VSS_WS_FAILED_AT_FREEZE', 'VSS_WS_FAILED_AT_THAW', 'VSS_WS_FAILED_AT_POST_SNAPSHOT', 'VSS_WS_FAILED_AT_BACKUP_COMPLETE',
  'VSS_WS_FAILED_AT_PRE_RESTORE', 'VSS_WS_FAILED_AT_POST_RESTORE', 'VSS_WS_FAILED_AT_BACKUPSHUTDOWN',
];

export const writerStateName = (state: number): string => writerStates[state] ?? `state ${state}`;
export const isFailedState = (state: number): boolean => writerStateName(state).startsWith('VSS_WS_FAILED');
