// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { FreezeController } from '../../../core/freeze/controller.ts';
import type { Log, StateStore } from '../../../core/ports/index.ts';
import { encodeResult } from '../../../core/schema/encode.ts';
import { freezeReport } from '../../../core/schema/freeze-report.ts';
import { thisBoot } from '../../state-store/boot.ts';
import { FreezeMarkerFile } from '../../state-store/freeze-marker-file.ts';
import { StateDirectory } from '../../state-store/state-directory.ts';
import type { SubcommandContext } from '../subcommand.ts';

/**
 * Thaws what the marker in the state directory lists: through the guardian that holds it, else file system by file
 * system. Takes no lock on the directory, so that it works beside an agent that is stuck; one that is well is better asked
 * for guest-fsfreeze-thaw.
 */
export async function run({ settings, flags, composition, print, complain }: SubcommandContext): Promise<number> {
  const place = new StateDirectory(settings.statedir);
  const directory = place.path;
  // A mistyped directory must not pass for a machine in which nothing is frozen.
  if (!place.exists) complain(`there is no directory ${directory}: is it the agent's --statedir?`);
  const marker = new FreezeMarkerFile(place, thisBoot(), complain);
  if (marker.read() === undefined) {
    print(flags.has('json') ? '{"thawed":0}\n' : `nothing is marked as frozen in ${directory}\n`);
    return 0;
  }
  const controller = FreezeController.on(await composition.createBackend(settings), {
    log: consoleLog(complain),
    stateStore: markerStore(directory, marker),
    settings: { deadlineMs: 0, withinMs: 0, excluded: [], unknownMountPoints: 'error' },
  });
  if (controller === undefined) throw AgentError.failed('this machine has nothing that freezes or thaws file systems');

  const thawed = await controller.thawLeftBehind();
  print(flags.has('json') ? `{"thawed":${thawed},"report":${encodeResult(freezeReport, controller.report(), 'report')}}\n` : `${thawed} file systems thawed\n`);
  return 0;
}

/** The state directory as far as a thaw needs it. */
const markerStore = (directory: string, marker: FreezeMarkerFile): StateStore => ({
  directory,
  readFreezeMarker: async () => marker.read(),
  writeFreezeMarker: async (data) => marker.write(data),
  removeFreezeMarker: async () => marker.remove(),
  bootId: async () => thisBoot().id,
  reserveHandles: () => Promise.reject(AgentError.failed('no file is opened here')),
});

function consoleLog(complain: (text: string) => void): Log {
  const say: Log['error'] = (line) => complain(typeof line === 'string' ? line : line());
  const silent = (): void => undefined;
  return { error: say, warning: say, info: silent, debug: silent, account: silent, hold: () => Promise.resolve(), release: silent };
}
