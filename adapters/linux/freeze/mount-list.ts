// SPDX-License-Identifier: Apache-2.0
import { parseMountInfoText } from '../block/mounts.ts';
import { WatchedList } from '../kernel-files.ts';
import { mountEntries, mountTable, type MountTable } from './freeze-survey.ts';

/** How long a list is kept after its last use, in milliseconds: a freeze and its thaw mostly lie within. */
const keptMs = 60_000;

/**
 * The list of mounts, as it is now. Where there are thousands, the kernel takes milliseconds to write it down: it is read
 * once for a freeze and its thaw as long as the kernel says that it has not changed (poll(2) of mountinfo, proc(5)).
 */
export class MountList {
  readonly #root: string;
  #kept: { readonly list: WatchedList; readonly table: MountTable; readonly timer: NodeJS.Timeout } | undefined;

  /** `root` is put before every path; only the running system's list can be kept. */
  constructor(root: string) {
    this.#root = root;
  }

  /** @throws failed error when it cannot be read */
  table(): MountTable {
    if (this.#root !== '') return this.#readOnce();
    const kept = this.#kept;
    if (kept !== undefined && !kept.list.hasChanged()) {
      kept.timer.refresh();
      return kept.table;
    }
    this.#forget();
    return this.#keep() ?? this.#readOnce();
  }

  #readOnce(): MountTable {
    return mountTable(mountEntries(this.#root), this.#root);
  }

  #keep(): MountTable | undefined {
    const list = WatchedList.open('/proc/self/mountinfo');
    const text = list?.read();
    if (list === undefined || text === undefined) {
      list?.close();
      return undefined;
    }
    const table = mountTable(parseMountInfoText(text), '');
    this.#kept = { list, table, timer: setTimeout(() => this.#forget(), keptMs).unref() };
    return table;
  }

  #forget(): void {
    if (this.#kept === undefined) return;
    clearTimeout(this.#kept.timer);
    this.#kept.list.close();
    this.#kept = undefined;
  }
}
