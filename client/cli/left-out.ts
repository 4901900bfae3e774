// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../core/errors/harmless-text.ts';

/** Lines of what was left out: a guest may have any number of it, and nobody reads them. */
export const MOST_LEFT_OUT = 1000;

/** Tells what is left out of a copy as it goes, and at the end how much more it was. */
export class LeftOutOfCopy {
  readonly #complain: (text: string) => void;
  #count = 0;

  constructor(complain: (text: string) => void) {
    this.#complain = complain;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** @param name harmless, as is `why` */
  tell(name: string, why: string): void {
    this.#count += 1;
    if (this.#count <= MOST_LEFT_OUT) this.#complain(`concierge-ctl: ${name} was left out: ${why}\n`);
  }

  done(): void {
    if (this.#count > MOST_LEFT_OUT) this.#complain(`concierge-ctl: ${this.#count - MOST_LEFT_OUT} more were left out\n`);
  }
}

/** Of a freeze's plan or report, a line each. */
export function leftOutText(leftOut: readonly { readonly mountpoint: string; readonly detail: string }[]): string {
  const lines = leftOut.slice(0, MOST_LEFT_OUT).map(({ mountpoint, detail }) => `left out ${detail.startsWith(mountpoint) ? '' : `${harmless(mountpoint)}: `}${harmless(detail)}\n`);
  const more = leftOut.length - lines.length;
  return `${lines.join('')}${more === 0 ? '' : `left out ${more} more, all of them listed with --json\n`}`;
}
