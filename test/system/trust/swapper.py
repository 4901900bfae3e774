# SPDX-License-Identifier: Apache-2.0
"""Another user who exchanges what lies under a name as fast as it goes: a link, a file of its own, a directory of its own, nothing."""
import os
import sys

directory, name, target, uid = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
os.setgid(uid)
os.setuid(uid)
os.chdir(directory)
os.umask(0)
with open("theirs", "w") as theirs:
    theirs.write("theirs")
os.mkdir("theirs.d")
with open("theirs.d/hook", "w") as hook:
    hook.write("#!/bin/sh\n:\n")
os.chmod("theirs.d/hook", 0o755)


def attempt(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass


print("ready", flush=True)
while True:
    attempt(os.symlink, target, "next")
    attempt(os.rename, "next", name)
    attempt(os.unlink, name)
    attempt(os.link, "theirs", "next")
    attempt(os.rename, "next", name)
    attempt(os.unlink, name)
    attempt(os.rename, "theirs.d", name)
    attempt(os.rename, name, "theirs.d")
