# SPDX-License-Identifier: Apache-2.0
"""Exchanges what lies under two names of a directory as fast as it goes: a file for a link out of it, and a directory for such a link."""
import os
import sys

directory, outside = sys.argv[1], sys.argv[2]
os.chdir(directory)
os.symlink(os.path.join(outside, "secret"), "link")
os.symlink(outside, "link.d")
print("ready", flush=True)
while True:
    os.rename("file", "name")
    os.rename("name", "file")
    os.rename("link", "name")
    os.rename("name", "link")
    os.rename("real.d", "way")
    os.rename("way", "real.d")
    os.rename("link.d", "way")
    os.rename("way", "link.d")
