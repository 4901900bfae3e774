# SPDX-License-Identifier: Apache-2.0
"""Mounts a FUSE file system that nobody serves: whoever touches it waits for ever. Says `mounted` and stays."""
import ctypes, os, sys, signal

device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"hanging", sys.argv[1].encode(), b"fuse.hanging", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("mounted", flush=True)
signal.pause()
