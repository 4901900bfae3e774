// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from './bindings/kernel32.ts';
import { ChildPipe, nothing } from './child-pipe.ts';
import type { Pointer } from './koffi.ts';

/** Which streams of a child are pipes; the others are nothing. */
export interface WantedStreams {
  readonly input: boolean;
  readonly output: boolean;
  /** `with-output`: into the pipe of the output. */
  readonly errors: boolean | 'with-output';
}

/** The three streams of a child, and our ends of those that are pipes. */
export class ChildStreams {
  readonly input: ChildPipe | undefined;
  readonly output: ChildPipe | undefined;
  readonly errors: ChildPipe | undefined;
  readonly childs: { readonly input: Pointer; readonly output: Pointer; readonly errors: Pointer };

  private constructor([input, output, errors]: readonly (ChildPipe | undefined)[], isMerged: boolean) {
    this.input = input;
    this.output = output;
    this.errors = errors;
    let shared: Pointer | undefined;
    const end = (pipe: ChildPipe | undefined): Pointer => pipe?.childs ?? (shared ??= nothing());
    this.childs = { input: end(input), output: end(output), errors: end(isMerged ? output : errors) };
  }

  /** @throws os error, and nothing of it is left open */
  static async open({ input, output, errors }: WantedStreams): Promise<ChildStreams> {
    const opened: (ChildPipe | undefined)[] = [];
    try {
      for (const [direction, isWanted] of [['input', input], ['output', output], ['output', errors === true]] as const) opened.push(isWanted ? await ChildPipe.make(direction) : undefined);
      return new ChildStreams(opened, errors === 'with-output');
    } catch (error) {
      for (const pipe of opened) {
        if (pipe === undefined) continue;
        pipe.close();
        kernel32.CloseHandle(pipe.childs);
      }
      throw error;
    }
  }

  /** Once the child has them, or there is none. */
  closeChilds(): void {
    for (const handle of new Set(Object.values(this.childs))) kernel32.CloseHandle(handle);
  }

  close(): void {
    for (const pipe of [this.input, this.output, this.errors]) pipe?.close();
  }
}
