/** Everything that `npm ci` makes: the native parts and the bundle that ships. */
import { buildBundle } from './build-bundle.ts';
import { buildNative } from './build-native.ts';

await buildNative();
await buildBundle();
