// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { callable } from '../dll.ts';
import { koffi } from '../koffi.ts';
import { textOf } from '../layout.ts';
import { isElevated } from '../privileges.ts';
import { vssError } from './codes.ts';
import { providerPath } from './provider-path.ts';

type Register = (library: string, version: string, failed: Buffer, length: number) => number;
type Unregister = (failed: Buffer, length: number) => number;

/**
 * Registers the provider with COM+ and VSS, so that freezing works.
 *
 * @throws failed error that names the step, `failed to register the VSS provider: creating the COM+ application: …`
 */
export async function registerProvider(version: string, library = providerPath()): Promise<void> {
  demandElevation();
  const call = callable<Register>(koffi().load(library).func('int32_t __stdcall ConciergeVssRegister(str16 library, str16 version, _Out_ void *failed, uint32_t length)'));
  await named('failed to register the VSS provider', (failed) => call.async(library, version, failed, failed.length / 2));
}

/** Takes the provider out of VSS and COM+. @throws failed error that names the step */
export async function unregisterProvider(library = providerPath()): Promise<void> {
  demandElevation();
  const call = callable<Unregister>(koffi().load(library).func('int32_t __stdcall ConciergeVssUnregister(_Out_ void *failed, uint32_t length)'));
  await named('failed to remove the VSS provider', (failed) => call.async(failed, failed.length / 2));
}

async function named(text: string, call: (failed: Buffer) => Promise<{ readonly result: number }>): Promise<void> {
  const failed = Buffer.alloc(512);
  const { result } = await call(failed);
  if (result < 0) throw AgentError.failed(vssError(`${text}: ${textOf(failed)}`, result).message);
}

function demandElevation(): void {
  if (!isElevated()) throw AgentError.failed('registering the VSS provider needs an administrator: run this elevated');
}
