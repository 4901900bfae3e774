#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 7.2.22, 10.0.13 and 11.1.3 (Debian, 2026-11-30): guest-file-write answers with the count of bytes while the file is
# still empty. They lie in the agent's memory until a flush, a seek, a read or a close; on a full disk the write succeeds and
# one of those fails. A host that reads the file in another way, or starts a program that does, sees nothing.
#
# Seen:
#   answer to the write of 5 bytes:                      {"return": {"count": 5, "eof": false}}
#   size of the file then:                               0
#   size of the file after a seek to where it is:        5
#   write to a full device:                              {"return": {"count": 5, "eof": false}}
#   flush of that:                                       failed to flush file: No space left on device
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1
agent "$work/root" ga

call() { printf '{"execute":"%s","arguments":%s}\n' "$1" "$2" | ask ga; }
opened() { call guest-file-open "{\"path\":\"$1\",\"mode\":\"w\"}" | grep -o '[0-9]*'; }
handle=$(opened "$work/file")
expect 'answer to the write of 5 bytes' "$(call guest-file-write "{\"handle\":$handle,\"buf-b64\":\"aGVsbG8=\"}")" '{"return": {"count": 5, "eof": false}}'
expect 'size of the file then' "$(stat -c %s "$work/file")" 0
call guest-file-seek "{\"handle\":$handle,\"offset\":0,\"whence\":1}" >/dev/null
expect 'size of the file after a seek to where it is' "$(stat -c %s "$work/file")" 5
full=$(opened /dev/full)
expect 'write to a full device' "$(call guest-file-write "{\"handle\":$full,\"buf-b64\":\"aGVsbG8=\"}")" '{"return": {"count": 5, "eof": false}}'
expect 'flush of that' "$(call guest-file-flush "{\"handle\":$full}" | desc)" 'failed to flush file: No space left on device'
