// SPDX-License-Identifier: Apache-2.0
/** What a promise comes to, or `undefined` when it takes longer than `ms`; then it goes on without anybody. */
export function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
