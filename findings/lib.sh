# SPDX-License-Identifier: Apache-2.0
# What the scripts here share; see README.md. Source it first: it makes $work, a folder that is removed at the end. With the word
# `mounts` the script runs as root in a mount namespace of its own, with $work a tmpfs: nobody else sees what it mounts.
set -euo pipefail
if [ "${1:-}" = mounts ] && [ -z "${IN_OWN_MOUNTS:-}" ]; then
  [ "$(id -u)" = 0 ] || { echo 'needs root'; exit 2; }
  IN_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "$0"
fi
work=$(mktemp -d)
if [ "${1:-}" = mounts ]; then mount -t tmpfs findings "$work"; fi
at_end=()
finish() {
  local i
  for ((i = ${#at_end[@]} - 1; i >= 0; i--)); do eval "${at_end[i]}" >/dev/null 2>&1 || true; done
  [ -z "${IN_OWN_MOUNTS:-}" ] || umount "$work" || umount -l "$work"
  rm -rf "$work"
}
trap finish EXIT

# expect WHAT SEEN WANTED: prints what was seen; another thing than before ends the script with status 1.
expect() {
  printf '%-52s %s\n' "$1:" "$2"
  [ "$2" = "$3" ] || { printf 'CHANGED: it was\n%-52s %s\n' '' "$3"; exit 1; }
}

# debian ROOT SUITE NAME=VERSION...: downloads packages of Debian with all that they depend on, through a configuration of
# apt of its own, and unpacks them into ROOT. Nothing is installed.
debian() {
  local root=$1 suite=$2 apt=$work/apt.$2 key=/usr/share/keyrings/debian-archive-keyring.gpg mirror archive base=${2%-backports}
  shift 2
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$')
  mkdir -p "$root" "$apt"/{etc/apt.conf.d,etc/preferences.d,state/lists/partial,cache/archives/partial}
  : >"$apt/status"
  for archive in $(printf '%s\n' "$base" "$suite" | sort -u); do echo "deb [signed-by=$key] $mirror $archive main"; done >"$apt/etc/sources.list"
  cat >"$apt/apt.conf" <<END
Dir::Etc "$apt/etc"; Dir::Etc::SourceParts "-"; Dir::State "$apt/state"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
APT::Sandbox::User "root"; Acquire::Languages "none"; APT::Install-Recommends "false"; Debug::NoLocking "true";
END
  APT_CONFIG=$apt/apt.conf apt-get update -qq
  APT_CONFIG=$apt/apt.conf apt-get install -qq -y --download-only -t "$suite" "$@" >/dev/null
  for archive in "$apt"/cache/archives/*.deb; do dpkg -x "$archive" "$root"; done
  rm -rf "$apt"
}

# npm_packages NAME@VERSION...: installs them below $work, without running their scripts; node finds them from there.
npm_packages() { (cd "$work" && npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" "$@" >/dev/null); }

# in_root ROOT PROGRAM WORDS...: runs an unpacked program by its own loader and libraries.
in_root() {
  local root=$1 program=$2 loader
  shift 2
  for loader in "$root"/{usr/,}lib64/ld-linux-x86-64.so.2; do [ ! -e "$loader" ] || break; done
  exec "$loader" --library-path "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" --argv0 "$(basename "$program")" "$root/$program" "$@"
}

# file_system TYPE SIZE: makes one in a file and mounts it on $work/TYPE by a loop device of its own. At the end it is thawed.
file_system() {
  truncate -s "$2" "$work/$1.image"
  "mkfs.$1" -q "$work/$1.image" >/dev/null 2>&1 || "mkfs.$1" "$work/$1.image" >/dev/null 2>&1
  mkdir "$work/$1"
  mount -o loop "$work/$1.image" "$work/$1"
  at_end+=("umount -l $work/$1" "fsfreeze -u $work/$1")
}

# status COMMAND...: its exit status, whatever it says.
status() {
  local result=0
  "$@" >/dev/null 2>&1 || result=$?
  echo "$result"
}

# agent ROOT NAME WORDS...: starts an unpacked qemu-ga on the socket $work/NAME.socket, as no service.
agent() {
  local root=$1 name=$2
  shift 2
  mkdir -p "$work/$name.state"
  in_root "$root" usr/sbin/qemu-ga -m unix-listen -p "$work/$name.socket" -t "$work/$name.state" "$@" &
  at_end+=("kill $!")
  while [ ! -S "$work/$name.socket" ]; do
    kill -0 $! 2>/dev/null || { echo "the agent did not start"; exit 2; }
    sleep 0.05
  done
  sleep 0.2
}

# ask NAME: sends standard input to the socket of `agent NAME` on a connection of its own; prints what comes until nothing has
# come for half a second.
ask() {
  python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read()); s.settimeout(0.5)
try:
    while chunk := s.recv(65536): sys.stdout.buffer.write(chunk)
except TimeoutError: pass' "$work/$1.socket"
}

# desc: the texts of the errors in standard input, one a line.
desc() { sed -n 's/.*"desc": "\(.*\)"}.*/\1/p'; }
