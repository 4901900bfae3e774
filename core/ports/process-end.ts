// SPDX-License-Identifier: Apache-2.0
/** `signal` is the POSIX number; on Windows an exit code from 0xC0000000 up. */
export type ProcessEnd = { readonly exitCode: number } | { readonly signal: number };
