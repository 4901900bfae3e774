#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# inversify 8.2.3 (npm, 2026-11-30): getAll of a child container that has bindings of its own gives these alone, and not its parent's,
# if nobody has asked before. If somebody asked while the child had none, the parent's list was remembered, and what the child binds
# afterwards is added to it. The same bindings give one or three services, by the order of a question.
#
# Seen:
#   child binds one, then is asked:                      ["own"]
#   child is asked, binds one, is asked again:           ["ping","info","own"]
source "$(dirname "$0")/lib.sh"
npm_packages inversify@8.2.3 reflect-metadata@0.2.2
cat >"$work/container.mjs" <<'END'
import 'reflect-metadata';
import { Container } from 'inversify';
function commands(asksBefore) {
  const parent = new Container();
  for (const name of ['ping', 'info']) parent.bind('command').toConstantValue(name);
  const child = new Container({ parent });
  if (asksBefore) child.getAll('command');
  child.bind('command').toConstantValue('own');
  return JSON.stringify(child.getAll('command'));
}
console.log(commands(false));
console.log(commands(true));
END
mapfile -t line < <(node "$work/container.mjs")

expect 'child binds one, then is asked' "${line[0]}" '["own"]'
expect 'child is asked, binds one, is asked again' "${line[1]}" '["ping","info","own"]'
