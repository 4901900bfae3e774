// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An ext4 of 64 MiB in a file, mounted in this process' mount namespace. */
export class LoopFileSystem implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'concierge-loop-'));
  readonly image = join(this.directory, 'image');
  readonly mountPoint = join(this.directory, 'mount');

  constructor() {
    writeFileSync(this.image, '');
    truncateSync(this.image, 64 * 1024 * 1024);
    mkdirSync(this.mountPoint);
    execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,nodiscard', this.image]);
    execFileSync('mount', ['-o', 'loop,nodiscard', this.image, this.mountPoint]);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', [this.mountPoint]);
    rmSync(this.directory, { recursive: true });
  }
}
