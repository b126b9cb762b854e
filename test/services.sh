#!/usr/bin/env bash
# The real servers that integration tests talk to: PostgreSQL 15, and the SCIM server in test/testbeds/scimmy.
#
#   test/services.sh start            start them and leave them running (again: keeps what runs)
#   eval "$(test/services.sh env)"    let this shell's `go test` use them
#   test/services.sh stop             stop them
#   test/services.sh run COMMAND...   start servers of its own, run COMMAND with them, stop them; exits as COMMAND did
#
# Missing software is installed when run as root on Debian; otherwise the error says what to install. PostgreSQL
# listens on a free loopback port, keeps its data in a temporary folder, and never runs as root. scimmy is only
# installed: each test starts a process of its own (internal/testbed).
#
# Environment: ROLLCALL_POSTGRES_BIN   folder of initdb and pg_ctl (default: PostgreSQL 15 of Debian, else pg_config's)
#              ROLLCALL_TESTBEDS       folder for process ids (default: .testbeds in the repository)

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
testbeds=${ROLLCALL_TESTBEDS:-$root/.testbeds}
scimmy=$root/test/testbeds/scimmy

say() { printf 'services: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
is_root() { [[ $(id -u) == 0 ]]; }

# --- installing ----------------------------------------------------------------------------------------------------

apt_updated=no
apt_install() { # packages...
  is_root && command -v apt-get >/dev/null || die "please install: $* (as root on Debian this is done for you)"
  say "installing $*"
  if [[ $apt_updated == no ]]; then
    apt-get update -q >&2
    apt_updated=yes
  fi
  # RUNLEVEL=1 keeps the packages from starting services of their own; ours are started below.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "$@" >&2
}

find_postgres() {
  local dir
  for dir in "${ROLLCALL_POSTGRES_BIN:-}" /usr/lib/postgresql/15/bin "$(pg_config --bindir 2>/dev/null || true)"; do
    if [[ -n $dir && -x $dir/initdb && -x $dir/pg_ctl ]]; then
      postgres_bin=$dir
      return 0
    fi
  done
  return 1
}

install_postgres() {
  find_postgres && return
  apt_install postgresql-15
  find_postgres || die "postgresql-15 is installed, yet /usr/lib/postgresql/15/bin has no initdb and pg_ctl"
}

install_scimmy() {
  command -v node >/dev/null || apt_install nodejs npm
  command -v npm >/dev/null || apt_install npm
  # npm writes this file last, so it is newer than the lock file only after a complete install.
  local installed=$scimmy/node_modules/.package-lock.json
  [[ -e $installed && ! $scimmy/package-lock.json -nt $installed ]] && return
  say "installing the packages of ${scimmy#"$root"/}"
  (cd "$scimmy" && npm ci --ignore-scripts --no-audit --no-fund >&2)
  touch "$installed"
}

# Two runs in one work tree must not install at the same time.
install_all() {
  mkdir -p "$testbeds"
  if command -v flock >/dev/null; then
    exec 9>"$testbeds/install.lock"
    flock 9
  fi
  install_postgres
  install_scimmy
  exec 9>&-
}

# --- PostgreSQL ----------------------------------------------------------------------------------------------------
# State of one set of servers, in its folder $state: postgres.dir (the temporary folder), postgres.pid, env.

as_postgres() ( # PostgreSQL refuses to run as root
  cd / # the user postgres may not be able to enter the current folder
  if is_root; then runuser -u postgres -- "$@"; else "$@"; fi
)

postgres_runs() {
  [[ -s $state/postgres.dir && -s $state/postgres.pid ]] || return 1
  local dir
  dir=$(<"$state/postgres.dir")
  [[ $(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null) == $(<"$state/postgres.pid") ]] &&
    as_postgres "$postgres_bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1
}

start_postgres() {
  postgres_runs && return
  # Not $TMPDIR: the path of the socket must be short, and the user postgres must be able to enter it.
  local dir try port options
  dir=$(mktemp -d /tmp/rollcall-postgres.XXXXXX)
  printf '%s\n' "$dir" >"$state/postgres.dir"
  if is_root; then chown postgres "$dir"; fi
  as_postgres "$postgres_bin/initdb" -D "$dir/data" -U test --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null

  # A port below the range that the kernel gives to outgoing connections; taken ones are found by trying.
  for try in 1 2 3 4 5 6 7 8; do
    port=$((20000 + RANDOM % 10000))
    options="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$dir -c max_connections=200"
    options+=" -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    if as_postgres "$postgres_bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/log" start -o "$options" >/dev/null 2>&1; then
      head -n 1 "$dir/data/postmaster.pid" >"$state/postgres.pid"
      printf 'export ROLLCALL_TEST_POSTGRES=%q\n' "postgres://test@127.0.0.1:$port/postgres?sslmode=disable" >"$state/env"
      printf 'export ROLLCALL_TEST_SCIMMY_DIR=%q\n' "$scimmy" >>"$state/env"
      say "PostgreSQL on 127.0.0.1:$port, process $(<"$state/postgres.pid")"
      return
    fi
    grep -q 'Address already in use' "$dir/log" || break
    say "port $port is taken (attempt $try), trying another"
    : >"$dir/log"
  done
  tail -n 20 "$dir/log" >&2 || true
  rm -rf "$dir" "$state/postgres.dir"
  die "PostgreSQL did not start; its log is above"
}

stop_postgres() {
  [[ -s $state/postgres.dir ]] || return 0
  local dir
  dir=$(<"$state/postgres.dir")
  if [[ -e $dir/data/postmaster.pid ]]; then
    find_postgres || die "cannot stop process $(head -n 1 "$dir/data/postmaster.pid"): PostgreSQL's pg_ctl is gone"
    # pg_ctl signals the process id that the server noted in its data folder, and waits until it is gone.
    as_postgres "$postgres_bin/pg_ctl" -D "$dir/data" -m fast -w -t 30 stop >/dev/null 2>&1 ||
      as_postgres "$postgres_bin/pg_ctl" -D "$dir/data" -m immediate -w -t 10 stop >/dev/null 2>&1 ||
      say "the server in $dir did not stop, or had ended before"
  fi
  rm -rf "$dir"
}

# --- sets of servers -----------------------------------------------------------------------------------------------
# "kept" is what `start` leaves running; "run.PID" belongs to the `run` with that process id.

start_set() {
  mkdir -p "$state"
  start_postgres
}

stop_set() {
  stop_postgres
  rm -rf "$state"
}

# Sets of runs that were killed before they could stop their servers.
stop_orphans() {
  local dir
  for dir in "$testbeds"/run.*; do
    [[ -d $dir ]] || continue
    kill -0 "${dir##*.}" 2>/dev/null && continue
    say "stopping what a killed run left behind"
    (state=$dir && stop_set)
  done
}

run() {
  [[ $# -gt 0 ]] || die "run: which command? For example: test/services.sh run go test ./..."
  local status=0
  state=$testbeds/run.$$
  install_all
  stop_orphans
  trap 'stop_set' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  start_set
  # shellcheck disable=SC1091
  source "$state/env"
  "$@" || status=$?
  exit "$status"
}

state=$testbeds/kept
case ${1:-} in
start)
  install_all
  stop_orphans
  start_set
  cat "$state/env"
  ;;
stop)
  stop_orphans
  stop_set
  ;;
env)
  find_postgres && postgres_runs || die "nothing runs: test/services.sh start"
  cat "$state/env"
  ;;
run)
  shift
  run "$@"
  ;;
*)
  sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
  ;;
esac
