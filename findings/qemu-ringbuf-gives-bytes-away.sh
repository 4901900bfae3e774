#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# QEMU 11.1.3 (Debian trixie-backports, 2026-11-30): a chardev `ringbuf` forgets its oldest bytes without a word, a write of more than
# it holds succeeds, and ringbuf-read with its default format turns every byte that is no UTF-8 into U+FFFD and takes it out of the
# buffer: what was read so can't be read again as base64. What a guest's serial line said is lost by looking at it.
#
# Seen (a buffer of 8 bytes):
#   write of 13 bytes:                                   {"return": {}}
#   what is read:                                        {"return": "56789abc"}
#   the bytes FF FF FF, read:                            {"return": "\uFFFD\uFFFD\uFFFD"}
#   and read again, as base64:                           {"return": ""}
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-system-x86=1:11.1.3+ds-1~bpo13+1
cat >"$work/requests" <<'END'
{"execute":"qmp_capabilities"}
{"execute":"chardev-add","arguments":{"id":"r","backend":{"type":"ringbuf","data":{"size":8}}}}
{"execute":"ringbuf-write","arguments":{"device":"r","data":"0123456789abc"}}
{"execute":"ringbuf-read","arguments":{"device":"r","size":20}}
{"execute":"ringbuf-write","arguments":{"device":"r","data":"////","format":"base64"}}
{"execute":"ringbuf-read","arguments":{"device":"r","size":20}}
{"execute":"ringbuf-read","arguments":{"device":"r","size":20,"format":"base64"}}
{"execute":"quit"}
END
(in_root "$work/root" usr/bin/qemu-system-x86_64 -machine none -nodefaults -display none -qmp stdio) <"$work/requests" >"$work/answers" 2>/dev/null || true
answer() { sed -n "$1p" "$work/answers" | tr -d '\r'; }

expect 'write of 13 bytes' "$(answer 4)" '{"return": {}}'
expect 'what is read' "$(answer 5)" '{"return": "56789abc"}'
expect 'the bytes FF FF FF, read' "$(answer 7)" '{"return": "\uFFFD\uFFFD\uFFFD"}'
expect 'and read again, as base64' "$(answer 8)" '{"return": ""}'
