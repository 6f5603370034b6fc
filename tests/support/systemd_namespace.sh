#!/bin/bash
# Boots this machine's systemd as process 1 of private namespaces, to try service units for real. Needs root, systemd and
# overlayfs. /run is empty inside; what is written to /etc, /tmp, /usr or /var inside stays inside and is gone afterwards.
#
#   systemd_namespace.sh COMMAND [ARGUMENT...]   runs a command inside and returns its exit status
#   systemd_namespace.sh                         prints the process id of the inner systemd, for `nsenter --target`, and
#                                                keeps it until SIGTERM, or the end of the process that has started this
#
# Exit status 69: it can't be done here; the reason is on standard error.
set -u

unavailable() {
  echo "systemd_namespace: $*" >&2
  exit 69
}

[ "$(id -u)" = 0 ] || unavailable "needs root"
[ -x /lib/systemd/systemd ] || unavailable "needs systemd"

console=$(mktemp)
# Not `kill 0`: the caller may share this process group.
take_down() {
  [ -z "${init:-}" ] || kill -KILL "$init" 2>/dev/null
  wait "$outer" 2>/dev/null
  rm -f "$console"
}

setsid unshare --mount --pid --fork --mount-proc --cgroup --uts --ipc --propagation private bash -c '
  set -e
  mount -t tmpfs tmpfs /run
  mkdir -p /run/lock /run/systemd/system
  for folder in etc tmp usr var; do
    mkdir -p "/run/overlay/$folder/upper" "/run/overlay/$folder/work"
    mount -t overlay overlay \
      -o "lowerdir=/$folder,upperdir=/run/overlay/$folder/upper,workdir=/run/overlay/$folder/work" "/$folder"
  done
  # A journal of this boot only.
  mkdir -p /run/systemd/journald.conf.d /var/log/journal
  mount -t tmpfs tmpfs /var/log/journal
  printf "[Journal]\nStorage=volatile\n" >/run/systemd/journald.conf.d/volatile.conf
  # These would empty /tmp, where the program under test may lie.
  for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-clean.timer tmp.mount; do
    ln -s /dev/null "/run/systemd/system/$unit"
  done
  exec /lib/systemd/systemd --system --unit=basic.target --log-target=journal' \
  >"$console" 2>&1 </dev/null &
outer=$!
trap take_down EXIT
trap 'exit 0' TERM INT

enter() { nsenter --target "$init" --mount --pid --ipc --uts --cgroup -- "$@"; }

init=
for _ in $(seq 150); do
  kill -0 "$outer" 2>/dev/null || break
  init=$(ps -o pid= --ppid "$outer" | tr -d ' ')
  if [ -n "$init" ] && [ "$(ps -o comm= -p "$init")" = systemd ] && enter systemctl is-active --quiet basic.target 2>/dev/null; then
    up=yes
    break
  fi
  sleep 0.1
done
[ "${up:-}" = yes ] || unavailable "systemd did not come up: $(tail -n 3 "$console" | tr '\n' ' ')"

if [ $# -gt 0 ]; then
  enter "$@"
else
  echo "$init"
  # In the background, so that a signal is not kept waiting.
  while kill -0 "$PPID" 2>/dev/null; do
    sleep 1 >/dev/null &
    wait $!
  done
fi
