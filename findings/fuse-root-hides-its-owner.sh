#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, Python 3.11, util-linux 2.38.
#
# A mounted FUSE file system answers stat(2) for its mount point with whatever owner its program names, and where the program
# knows no STATFS, statfs(2) fails with ENOSYS instead of telling the type: `stat -f` cannot say that this is FUSE, although its
# answer would need no program. The one place that tells who has mounted it, and that it is FUSE, is `user_id=` in
# /proc/self/mountinfo.
#
# Seen on 2026-11-30:
#   owner of the directory before: 65534; after: 0
#   stat -f: Function not implemented
#   mountinfo: fuse.lying user_id=65534
set -euo pipefail

[ "$(id -u)" = 0 ] && [ -e /dev/fuse ] || { echo "needs root and /dev/fuse" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/place"
chown 65534:65534 "$folder/place"

cat > "$folder/serve.py" <<'PYTHON'
import ctypes, os, struct, sys

device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=65534,group_id=65534,allow_other".encode()
if libc.mount(b"lying", sys.argv[1].encode(), b"fuse.lying", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("mounted", flush=True)
INIT, GETATTR, ENOSYS = 26, 3, 38
attributes = struct.pack("<QII6Q10I", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
welcome = struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8)
while True:
    try:
        request = os.read(device, 1 << 20)
    except OSError:
        break
    _, opcode, unique = struct.unpack_from("<IIQ", request)
    body = {INIT: welcome, GETATTR: attributes}.get(opcode)
    os.write(device, struct.pack("<IiQ", 16 + len(body or b""), 0 if body else -ENOSYS, unique) + (body or b""))
PYTHON

export folder
# In a namespace of its own: the mount is nobody else's, and goes with it.
unshare --mount --propagation private bash -euo pipefail <<'INSIDE'
before=$(stat -c %u "$folder/place")
python3 "$folder/serve.py" "$folder/place" > "$folder/said" &
until grep -q mounted "$folder/said"; do kill -0 $!; sleep 0.05; done
after=$(stat -c %u "$folder/place")
if type=$(stat -f -c %T "$folder/place" 2>&1); then :; else type=${type##*: }; fi
line=$(grep -o 'fuse\.lying .*user_id=[0-9]*' /proc/self/mountinfo | sed 's/ .*,\(user_id=\)/ \1/')
umount -l "$folder/place"
wait
echo "owner of the directory before: $before; after: $after"
echo "stat -f: $type"
echo "mountinfo: $line"
[ "$before" = 65534 ] && [ "$after" = 0 ] && [ "$type" = "Function not implemented" ] && [ "$line" = "fuse.lying user_id=65534" ]
INSIDE
