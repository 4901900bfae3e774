import { IVssExamineWriterMetadata, IVssWMComponent, VSS_COMPONENTINFO } from '../bindings/vssapi.ts';
import { oleaut32 } from '../bindings/ole32.ts';
import { comObject, guidValue } from '../com.ts';
import { copyOf, type Out, type Pointer, wideText } from '../koffi.ts';
import { readFields } from '../layout.ts';
import { codeName, isFailedState, writerStateName } from './codes.ts';
import type { BackupComponents, Steps } from './steps.ts';

/** Asks every writer for its metadata and adds the components that a backup has to name. */
export async function addComponents(steps: Steps, components: BackupComponents): Promise<void> {
  await steps.complete('failed to gather writer metadata', steps.limits.gatherMs, (out) => components.GatherWriterMetadata(out));
  try {
    const count: Out<number> = [0];
    await steps.demand('failed to get writer metadata count', components.GetWriterMetadataCount(count));
    for (let index = 0; index < count[0]; index += 1) await addComponentsOf(steps, components, index, count[0]);
  } finally {
    await steps.attempt('failed to free writer metadata', components.FreeWriterMetadata());
  }
}

async function addComponentsOf(steps: Steps, components: BackupComponents, index: number, count: number): Promise<void> {
  const out: Out<Pointer | null> = [null];
  await steps.demand(`failed to get writer metadata of ${index}/${count}`, components.GetWriterMetadata(index, Buffer.alloc(16), out));
  if (out[0] === null) return;
  const metadata = comObject(IVssExamineWriterMetadata, out[0]);
  try {
    const [instance, writer] = [Buffer.alloc(16), Buffer.alloc(16)];
    const name: Out<Pointer | null> = [null];
    await steps.demand(`failed to get identity of writer ${index}/${count}`, metadata.GetIdentity(instance, writer, name, [0], [0]));
    const writerName = takeText(name);
    const number: Out<number> = [0];
    await steps.demand(`failed to get file counts of ${writerName}`, metadata.GetFileCounts([0], [0], number));
    for (let place = 0; place < number[0]; place += 1) {
      const component: Out<Pointer | null> = [null];
      const which = `${place}/${number[0]} of ${writerName}`;
      await steps.demand(`failed to get component ${which}`, metadata.GetComponent(place, component));
      if (component[0] !== null) await addComponent(steps, components, component[0], { instance, writer, writerName, which });
    }
  } finally {
    metadata.release();
  }
}

interface Owner {
  readonly instance: Buffer;
  readonly writer: Buffer;
  readonly writerName: string;
  readonly which: string;
}

/** One that cannot be chosen is part of another, or of every backup. */
async function addComponent(steps: Steps, components: BackupComponents, address: Pointer, { instance, writer, writerName, which }: Owner): Promise<void> {
  const component = comObject(IVssWMComponent, address);
  const info: Out<Pointer | null> = [null];
  try {
    await steps.demand(`failed to get component info ${which}`, component.GetComponentInfo(info));
    if (info[0] === null) return;
    const { type, bstrLogicalPath: path, bstrComponentName: name, bSelectable } = readFields(VSS_COMPONENTINFO, copyOf(info[0], VSS_COMPONENTINFO.size));
    if (bSelectable === 0) return;
    await steps.demand(
      `failed to add component ${wideText(name)}(${writerName})`,
      components.AddComponent(guidValue(instance), guidValue(writer), type, path === 0n ? null : path, name),
    );
  } finally {
    if (info[0] !== null) await steps.attempt(`failed to free component info ${which}`, component.FreeComponentInfo(info[0]));
    component.release();
  }
}

export interface WriterStatus {
  readonly name: string;
  /** A clause, where it has failed: `writer SqlServerWriter failed: VSS_E_WRITERERROR_TIMEOUT (VSS_WS_FAILED_AT_FREEZE)`. */
  readonly failure?: string;
}

/** Writers that have failed, a clause each. */
export const failedWriters = async (steps: Steps, components: BackupComponents): Promise<readonly string[]> =>
  (await writers(steps, components)).flatMap(({ failure }) => (failure === undefined ? [] : [failure]));

/** How every writer is. */
export async function writers(steps: Steps, components: BackupComponents): Promise<readonly WriterStatus[]> {
  await steps.complete('failed to gather writer status', steps.limits.gatherMs, (out) => components.GatherWriterStatus(out));
  const found: WriterStatus[] = [];
  try {
    const count: Out<number> = [0];
    await steps.demand('failed to get writer status count', components.GetWriterStatusCount(count));
    for (let index = 0; index < count[0]; index += 1) {
      const name: Out<Pointer | null> = [null];
      const state: Out<number> = [0];
      const failure: Out<number> = [0];
      await steps.demand(`failed to get status of writer ${index}/${count[0]}`,
        components.GetWriterStatus(index, Buffer.alloc(16), Buffer.alloc(16), name, state, failure));
      const writer = takeText(name);
      const failed = failure[0] < 0 || isFailedState(state[0]);
      found.push({
        name: writer,
        ...(failed && { failure: `writer ${writer} failed: ${failure[0] < 0 ? codeName(failure[0]) : 'no code'} (${writerStateName(state[0])})` }),
      });
    }
  } finally {
    await steps.attempt('failed to free writer status', components.FreeWriterStatus());
  }
  return found;
}

/** The text of a BSTR that is the caller's to free. */
function takeText(text: Out<Pointer | null>): string {
  if (text[0] === null) return '';
  const value = wideText(text[0]);
  oleaut32.SysFreeString(text[0]);
  return value;
}
