// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from '../bindings/kernel32.ts';
import { IVssExamineWriterMetadata, IVssWMComponent, IVssWMFiledesc, VSS_COMPONENTINFO } from '../bindings/vssapi.ts';
import { oleaut32 } from '../bindings/ole32.ts';
import { comObject, guidValue, type ComObject } from '../com.ts';
import { copyOf, type Out, type Pointer, wideText } from '../koffi.ts';
import { fileLane } from '../lane.ts';
import { readFields, textOf } from '../layout.ts';
import { codeName, isFailedState, writerRetryable, writerStateName } from './codes.ts';
import type { BackupComponents, Steps } from './steps.ts';

/** Writers with a component in the backup, by the identifier of the instance, in hexadecimal digits. */
export type Participants = ReadonlySet<string>;

/**
 * Asks every writer for its metadata and adds the components whose files lie on these volumes alone: a writer that has none of
 * them has no part in the freeze.
 *
 * @param volumes by name, `\\?\Volume{…}\`
 */
export async function addComponents(steps: Steps, components: BackupComponents, volumes: readonly string[]): Promise<Participants> {
  await steps.complete('failed to gather writer metadata', steps.limits.gatherMs, (out) => components.GatherWriterMetadata(out));
  const participants = new Set<string>();
  const names = new Set(volumes.map((name) => name.toLowerCase()));
  try {
    const count: Out<number> = [0];
    await steps.demand('failed to get writer metadata count', components.GetWriterMetadataCount(count));
    for (let index = 0; index < count[0]; index += 1) {
      const added = await addComponentsOf(steps, components, { index, count: count[0], volumes: names });
      if (added !== undefined) participants.add(added.toString('hex'));
    }
    return participants;
  } finally {
    await steps.attempt('failed to free writer metadata', components.FreeWriterMetadata());
  }
}

interface WriterPlace {
  readonly index: number;
  readonly count: number;
  readonly volumes: ReadonlySet<string>;
}

/** Answers the instance of the writer where one of its components was added. */
async function addComponentsOf(steps: Steps, components: BackupComponents, { index, count, volumes }: WriterPlace): Promise<Buffer | undefined> {
  const out: Out<Pointer | null> = [null];
  await steps.demand(`failed to get writer metadata of ${index}/${count}`, components.GetWriterMetadata(index, Buffer.alloc(16), out));
  if (out[0] === null) return undefined;
  const metadata = comObject(IVssExamineWriterMetadata, out[0]);
  try {
    const [instance, writer] = [Buffer.alloc(16), Buffer.alloc(16)];
    const name: Out<Pointer | null> = [null];
    await steps.demand(`failed to get identity of writer ${index}/${count}`, metadata.GetIdentity(instance, writer, name, [0], [0]));
    const writerName = takeText(name);
    const number: Out<number> = [0];
    await steps.demand(`failed to get file counts of ${writerName}`, metadata.GetFileCounts([0], [0], number));
    let added = false;
    for (let place = 0; place < number[0]; place += 1) {
      const component: Out<Pointer | null> = [null];
      const which = `${place}/${number[0]} of ${writerName}`;
      await steps.demand(`failed to get component ${which}`, metadata.GetComponent(place, component));
      if (component[0] !== null && (await addComponent(steps, components, component[0], { instance, writer, writerName, which, volumes }))) added = true;
    }
    return added ? instance : undefined;
  } finally {
    metadata.release();
  }
}

interface Owner {
  readonly instance: Buffer;
  readonly writer: Buffer;
  readonly writerName: string;
  readonly which: string;
  readonly volumes: ReadonlySet<string>;
}

/** Whether it was added. One that cannot be chosen is part of another, or of every backup. */
async function addComponent(steps: Steps, components: BackupComponents, address: Pointer, { instance, writer, writerName, which, volumes }: Owner): Promise<boolean> {
  const component = comObject(IVssWMComponent, address);
  const info: Out<Pointer | null> = [null];
  try {
    await steps.demand(`failed to get component info ${which}`, component.GetComponentInfo(info));
    if (info[0] === null) return false;
    const fields = readFields(VSS_COMPONENTINFO, copyOf(info[0], VSS_COMPONENTINFO.size));
    if (fields.bSelectable === 0) return false;
    const places = await placesOf(steps, component, fields, which);
    for (const path of places) if (!(await isOn(path, volumes))) return false;
    const { type, bstrLogicalPath: path, bstrComponentName: name } = fields;
    await steps.demand(
      `failed to add component ${wideText(name)}(${writerName})`,
      components.AddComponent(guidValue(instance), guidValue(writer), type, path === 0n ? null : path, name),
    );
    return true;
  } finally {
    if (info[0] !== null) await steps.attempt(`failed to free component info ${which}`, component.FreeComponentInfo(info[0]));
    component.release();
  }
}

type Component = ComObject<(typeof IVssWMComponent)['slots']>;
type Counts = Pick<ReturnType<typeof readFields<(typeof VSS_COMPONENTINFO)['fields']>>, 'cFileCount' | 'cDatabases' | 'cLogFiles'>;

/** The folders of a component's files, of its database and of its logs; none where it does not say. */
async function placesOf(steps: Steps, component: Component, { cFileCount, cDatabases, cLogFiles }: Counts, which: string): Promise<readonly string[]> {
  const paths: string[] = [];
  const kinds = [[cFileCount, component.GetFile], [cDatabases, component.GetDatabaseFile], [cLogFiles, component.GetDatabaseLogFile]] as const;
  for (const [count, get] of kinds) {
    for (let index = 0; index < count; index += 1) {
      const out: Out<Pointer | null> = [null];
      await steps.demand(`failed to get files of component ${which}`, get(index, out));
      if (out[0] === null) continue;
      const description = comObject(IVssWMFiledesc, out[0]);
      const path: Out<Pointer | null> = [null];
      try {
        await steps.demand(`failed to get files of component ${which}`, description.GetPath(path));
        paths.push(takeText(path));
      } finally {
        description.release();
      }
    }
  }
  return paths;
}

/** Whether a path, which may begin with a variable of the environment, lies on one of the volumes. */
async function isOn(path: string, volumes: ReadonlySet<string>): Promise<boolean> {
  const [whole, mountPoint, name] = [Buffer.alloc(65_536), Buffer.alloc(65_536), Buffer.alloc(128)];
  kernel32.ExpandEnvironmentStringsW(path, whole, whole.length / 2);
  // The answer is the nearest volume above, also where there is no such file.
  const { result: found } = await fileLane.run(() => kernel32.GetVolumePathNameW.async(textOf(whole), mountPoint, mountPoint.length / 2));
  if (found === 0) return false;
  const { result: named } = await fileLane.run(() => kernel32.GetVolumeNameForVolumeMountPointW.async(textOf(mountPoint), name, name.length / 2));
  if (named === 0) return false;
  return volumes.has(textOf(name).toLowerCase());
}

export interface WriterStatus {
  readonly name: string;
  /** The identifier of the instance, in hexadecimal digits. */
  readonly instance: string;
  /** A clause, where it has failed: `writer SqlServerWriter failed: VSS_E_WRITERERROR_TIMEOUT (VSS_WS_FAILED_AT_FREEZE)`. */
  readonly failure?: string;
  /** It may not fail the next time. */
  readonly retryable?: boolean;
}

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
      const instance = Buffer.alloc(16);
      await steps.demand(`failed to get status of writer ${index}/${count[0]}`,
        components.GetWriterStatus(index, instance, Buffer.alloc(16), name, state, failure));
      const writer = takeText(name);
      const failed = failure[0] < 0 || isFailedState(state[0]);
      found.push({
        name: writer,
        instance: instance.toString('hex'),
        ...(failure[0] === writerRetryable && { retryable: true }),
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
