#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Node 24.21.0 (npm's package `node`, 2026-11-30; 20.20.2 and 22.23.3 alike): a monitor of monitorEventLoopDelay that is disabled
# and enabled again counts the whole time for which it was disabled as one delay of the event loop. Whoever measures some steps
# of a program with one monitor, and leaves out what lies between them, finds that as the longest stall, though the loop was never
# held up. With reset() before it is enabled again that does not happen, but then what was measured before is gone, too; so each step
# needs a monitor of its own.
#
# Seen:
#   longest delay, one monitor, 400 ms disabled:         above 400 ms
#   the same with reset() before it is enabled again:    below 400 ms
#   a new monitor for the second step:                   below 400 ms
source "$(dirname "$0")/lib.sh"
(cd "$work" && npm install --silent --no-audit --no-fund --prefix "$work" node@24.21.0 >/dev/null)
cat >"$work/pause.mjs" <<'END'
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
async function longest(again) {
  let monitor = monitorEventLoopDelay({ resolution: 1 });
  monitor.enable();
  await pause(50);
  monitor.disable();
  // Nothing is measured here, and nothing holds up the loop.
  await pause(450);
  monitor = again(monitor);
  monitor.enable();
  await pause(50);
  monitor.disable();
  console.log(monitor.max / 1e6 > 400 ? 'above 400 ms' : 'below 400 ms');
}
await longest((monitor) => monitor);
await longest((monitor) => (monitor.reset(), monitor));
await longest(() => monitorEventLoopDelay({ resolution: 1 }));
END
mapfile -t line < <("$work/node_modules/node/bin/node" "$work/pause.mjs")

expect 'longest delay, one monitor, 400 ms disabled' "${line[0]}" 'above 400 ms'
expect 'the same with reset() before it is enabled again' "${line[1]}" 'below 400 ms'
expect 'a new monitor for the second step' "${line[2]}" 'below 400 ms'
