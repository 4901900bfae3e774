#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44 (the same code since 5.x), coreutils 9.1, util-linux 2.38.
#
# fs.protected_symlinks=1 keeps a process from following a link that another user left in a sticky directory of everybody's. It
# does so for the last component of a path only: proc_sys_fs(5) speaks of following links, and of no place in the path. The very
# link that is refused at the end of a path is followed in the middle of one.
#
# Seen on 2026-11-30:
#   fs.protected_symlinks = 1
#   at the end of the path (shared/link): Permission denied
#   in the middle of the path (shared/up/target): followed
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "needs root, to make a link of another user" >&2; exit 2; }
value=$(cat /proc/sys/fs/protected_symlinks)
echo "fs.protected_symlinks = $value"
[ "$value" = 1 ] || { echo "needs fs.protected_symlinks=1" >&2; exit 2; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mkdir -m 1777 "$folder/shared"
chmod 1777 "$folder/shared"
echo text > "$folder/target"
ln -s "$folder/target" "$folder/shared/link"
ln -s "$folder" "$folder/shared/up"
chown -h 65534:65534 "$folder/shared/link" "$folder/shared/up"

if reason=$(cat "$folder/shared/link" 2>&1); then last=followed; else last=${reason##*: }; fi
if reason=$(cat "$folder/shared/up/target" 2>&1); then middle=followed; else middle=${reason##*: }; fi
echo "at the end of the path (shared/link): $last"
echo "in the middle of the path (shared/up/target): $middle"
[ "$last" = "Permission denied" ] && [ "$middle" = followed ]
