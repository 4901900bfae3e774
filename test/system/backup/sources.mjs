// SPDX-License-Identifier: Apache-2.0
// Lets the example find the client by the package's name, as it would where the package is installed.
import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'concierge-ga/client' ? { url: new URL('../../../client/index.ts', import.meta.url).href, shortCircuit: true } : next(specifier, context),
});
