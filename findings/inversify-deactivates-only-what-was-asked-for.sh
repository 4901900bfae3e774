#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# inversify 8.2.3 (npm, 2026-11-30): onDeactivation of a binding runs at unbind only where somebody has asked for the service before.
# For a constant that was made elsewhere (an open file, a server that runs) and that nobody happened to get, nothing is closed:
# toConstantValue is a cache that is empty until the first get, and only what is in a cache is deactivated.
#
# Seen:
#   constant that somebody got:                          closed
#   constant that nobody got:                            left open
#   singleton that somebody got:                         closed
source "$(dirname "$0")/lib.sh"
npm_packages inversify@8.2.3 reflect-metadata@0.2.2
cat >"$work/container.mjs" <<'END'
import 'reflect-metadata';
import { Container } from 'inversify';
function end(bind, asked) {
  const container = new Container();
  let state = 'left open';
  bind(container.bind('server')).onDeactivation(() => { state = 'closed'; });
  if (asked) container.get('server');
  container.unbind('server');
  return state;
}
const constant = (to) => to.toConstantValue({});
console.log(end(constant, true));
console.log(end(constant, false));
console.log(end((to) => to.toDynamicValue(() => ({})).inSingletonScope(), true));
END
mapfile -t line < <(node "$work/container.mjs")

expect 'constant that somebody got' "${line[0]}" closed
expect 'constant that nobody got' "${line[1]}" 'left open'
expect 'singleton that somebody got' "${line[2]}" closed
