#!/bin/bash
# Runs the Windows build of Deno on Linux, to try console events, paths and files as Windows has them: Wine 10 in a Debian
# "trixie" tree of its own (older ones can't run V8), with deno.exe from npm. Needs root, amd64 and Debian's debootstrap.
#
#   windows_lab.sh setup             once; takes minutes and 2.3 GB, kept in $WINDOWS_LAB (default /var/tmp/windows-lab)
#   windows_lab.sh check             exit status 69 and a reason where the lab can't be used
#   windows_lab.sh run WORK ARG...   runs `deno.exe ARG...` in a console, with the folder WORK as C:\work, its working
#                                    folder, and the checkout as C:\repository; exits as deno.exe does
#
# One `run` at a time. While it lasts, each file WORK/press-c or WORK/press-break that appears is taken away and sent as Ctrl+C or Ctrl+Break.
# Loopback is the host's.
set -u

LAB=${WINDOWS_LAB:-/var/tmp/windows-lab}
TREE=$LAB/tree
DENO_VERSION=${WINDOWS_DENO_VERSION:-2.9.5}
REPOSITORY=$(cd "$(dirname "$0")/../.." && pwd)

unavailable() {
  echo "windows_lab: $*" >&2
  exit 69
}

wine_environment=(
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  HOME=/ TERM=xterm NO_COLOR=1 XDG_RUNTIME_DIR=/tmp WINEPREFIX=/lab/prefix WINEDEBUG=-all
  'DENO_DIR=C:\deno' DENO_NO_UPDATE_CHECK=1
)

# Runs a command in the tree, in this process's place. Its mounts end with it, and so do its processes: a Wine server that
# lived on would show the next run this run's folder.
inside() {
  exec unshare --mount --propagation private --pid --fork --kill-child sh -c '
    tree=$1 work=$2 repository=$3 cache=$4
    shift 4
    mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    drive=$tree/lab/prefix/drive_c
    if [ -n "$work" ]; then
      mkdir -p "$drive/work" "$drive/repository" "$drive/deno/npm"
      mount --bind "$work" "$drive/work"
      mount --bind -o ro "$repository" "$drive/repository"
      [ ! -d "$cache/npm" ] || mount --bind -o ro "$cache/npm" "$drive/deno/npm"
    fi
    exec chroot "$tree" env -i "$@"' sh "$TREE" "${work:-}" "$REPOSITORY" "${DENO_DIR:-$HOME/.cache/deno}" "$@"
}

install_tree() {
  export DEBIAN_FRONTEND=noninteractive
  local mirror
  mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null)
  command -v debootstrap >/dev/null || apt-get install -y -q debootstrap >/dev/null || return 1
  [ -d "$TREE/usr" ] || debootstrap --variant=minbase trixie "$TREE" "${mirror:-http://deb.debian.org/debian}" || return 1
  cp /etc/resolv.conf "$TREE/etc/"
  cp /etc/apt/apt.conf.d/* "$TREE/etc/apt/apt.conf.d/"
  cp -r /etc/ssl/certs "$TREE/etc/ssl/"
  (inside PATH="$PATH" DEBIAN_FRONTEND=noninteractive sh -c '
    apt-get update && apt-get install -y -q --no-install-recommends wine wine64')
}

install_deno() {
  local package=deno-win32-x64-$DENO_VERSION.tgz
  (cd "$LAB" && npm pack --silent "@deno/win32-x64@$DENO_VERSION" && tar xzf "$package" && rm "$package") || return 1
  mv "$LAB/package/deno.exe" "$TREE/lab/deno.exe"
}

build_console() {
  command -v x86_64-w64-mingw32-gcc >/dev/null || apt-get install -y -q gcc-mingw-w64-x86-64-win32 >/dev/null || return 1
  x86_64-w64-mingw32-gcc -O1 -Wall -o "$TREE/lab/console.exe" "$REPOSITORY/tests/support/windows_console.c"
}

check() {
  [ "$(id -u)" = 0 ] || unavailable "needs root"
  [ -x "$TREE/lab/console.exe" ] && [ -f "$TREE/lab/deno.exe" ] ||
    unavailable "not set up; run tests/support/windows_lab.sh setup"
}

case ${1:-} in
setup)
  [ "$(id -u)" = 0 ] || unavailable "needs root"
  mkdir -p "$LAB"
  [ -x "$TREE/usr/bin/wine" ] || install_tree >"$LAB/tree.log" 2>&1 || unavailable "no Wine: see $LAB/tree.log"
  mkdir -p "$TREE/lab"
  [ -f "$TREE/lab/deno.exe" ] || install_deno >"$LAB/deno.log" 2>&1 || unavailable "no deno.exe: see $LAB/deno.log"
  build_console || unavailable "the console's helper was not built"
  (inside "${wine_environment[@]}" wine wineboot -i) >/dev/null 2>&1
  inside "${wine_environment[@]}" wine /lab/deno.exe --version
  ;;
check)
  check
  ;;
run)
  [ $# -ge 3 ] || unavailable "run needs a folder and arguments"
  check
  work=$(cd "$2" && pwd) || unavailable "no folder $2"
  shift 2
  exec 9>"$LAB/lock"
  flock 9
  # `script` makes the terminal that Wine needs for a console, and exits as the command does; not as process 1, to which
  # Wine's orphans fall.
  inside "${wine_environment[@]}" sh -c '
    cd /lab/prefix/drive_c/work
    script -qec "wine /lab/console.exe \"Z:\\lab\\deno.exe $*\"" /dev/null
    exit $?' sh "$@" </dev/null
  ;;
*)
  sed -n '2,13p' "$0"
  exit 64
  ;;
esac
