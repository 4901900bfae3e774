#!/bin/bash
# start-stop-daemon of dpkg 1.21.23 with --background ends with status 0 though the program does not exist, is none, or names an
# interpreter that does not exist: the fork counts as the start. --make-pidfile leaves the number of the process that is gone. In
# the foreground the status is 2. With --notify-await (sd_notify(3)) the failure is seen, but only when the whole timeout (60 s if
# not given) is over: the end of the child is not looked at.
# Seen on 2026-11-30:
#   missing program: background 0, foreground 2, notify-await 2, pid file of a process that is gone
#   no interpreter: background 0, foreground 2, notify-await 2, pid file of a process that is gone
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download dpkg=1.21.23 >/dev/null 2>&1
dpkg -x dpkg_1.21.23_*.deb root
tool=$folder/root/sbin/start-stop-daemon
printf '#!/nowhere/sh\n' >"$folder/no-interpreter"
chmod 755 "$folder/no-interpreter"

changed=0
for each in "missing program:$folder/missing" "no interpreter:$folder/no-interpreter"; do
  program=${each#*:}
  background=0 foreground=0 notified=0 gone='of a process that lives'
  "$tool" --start --background --make-pidfile --pidfile "$folder/pid" --startas "$program" 2>/dev/null || background=$?
  "$tool" --start --pidfile "$folder/pid-2" --startas "$program" 2>/dev/null || foreground=$?
  "$tool" --start --background --notify-await --notify-timeout=1 --pidfile "$folder/pid-3" --startas "$program" 2>/dev/null || notified=$?
  for _ in $(seq 50); do
    if ! kill -0 "$(cat "$folder/pid")" 2>/dev/null; then gone='of a process that is gone'; break; fi
    sleep 0.1
  done
  echo "${each%%:*}: background $background, foreground $foreground, notify-await $notified, pid file $gone"
  [ "$background" = 0 ] && [ "$foreground" != 0 ] && [ "$gone" = 'of a process that is gone' ] || changed=1
done
exit "$changed"
