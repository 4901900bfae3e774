import { testBackend } from '../../kit/index.ts';
import { after, describe, it } from './runner.ts';
import { windowsSubject } from './subject.ts';

// Timers of the agent do not keep a process alive, and node:test ends with nothing that does.
const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

await testBackend('Windows', () => windowsSubject(), { describe, it });
