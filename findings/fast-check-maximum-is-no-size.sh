#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fast-check 4.10.2 (npm, 2026-11-30): fc.string({ maxLength: 100000 }) never gives a string of more than 10 characters, and arrays and
# Uint8Arrays likewise: a maximum bounds, but it does not widen what is tried. How long things get is said by `size`, which is
# 'small' where nobody says it. A test of limits that only sets maxLength tests nothing near them.
#
# Seen (the longest of 5000, seed 1):
#   string, maxLength 100000:                            10
#   uint8Array, maxLength 100000:                        10
#   uint8Array, maxLength 100000, size max:              more than 90000
source "$(dirname "$0")/lib.sh"
npm_packages fast-check@4.10.2
cat >"$work/lengths.cjs" <<'END'
const fc = require('fast-check');
const longest = (arbitrary, numRuns) => Math.max(...fc.sample(arbitrary, { numRuns, seed: 1 }).map(({ length }) => length));
console.log(longest(fc.string({ maxLength: 100_000 }), 5000));
console.log(longest(fc.uint8Array({ maxLength: 100_000 }), 5000));
console.log(longest(fc.uint8Array({ maxLength: 100_000, size: 'max' }), 50) > 90_000 ? 'more than 90000' : 'less');
END
mapfile -t line < <(node "$work/lengths.cjs")

expect 'string, maxLength 100000' "${line[0]}" 10
expect 'uint8Array, maxLength 100000' "${line[1]}" 10
expect 'uint8Array, maxLength 100000, size max' "${line[2]}" 'more than 90000'
