// SPDX-License-Identifier: Apache-2.0
/**
 * A path as the kernel prints mount points: what open(2) passes over is taken out. `..` is not, for it means another place
 * where a component before it is a symbolic link. Names that are no path (a volume of Windows) stay as they are.
 */
export const plainPath = (path: string): string =>
  path.startsWith('/') ? `/${path.split('/').filter((component) => component !== '' && component !== '.').join('/')}` : path;
