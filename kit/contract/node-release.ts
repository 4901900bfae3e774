// SPDX-License-Identifier: Apache-2.0
const oldest = 22;

/**
 * An older Node lacks what the suite uses, and every sentence of the contract would fail with the name of that.
 *
 * @throws Error that names the release
 */
export function requireNodeRelease(release: string = process.versions.node): void {
  if (Number.parseInt(release, 10) < oldest) throw new Error(`the contract suite needs Node ${oldest} or later, and this is ${release}`);
}
