// SPDX-License-Identifier: Apache-2.0
/** The release of Concierge: that of package.json (a test compares them). */
export const version = '0.1.0';

/** The release of qemu-ga whose protocol and command line this one has. */
export const compatibleWith = '11.1';

/** Answer to `--version`. The release is the fourth word, as in qemu-ga's own answer. */
export const versionLine = `Concierge Guest Agent ${version} (compatible with QEMU Guest Agent ${compatibleWith})`;
