# Processes that `up` leaves running, by a file each: the pid, and when the process began, so that
# another one with the same pid is not taken for it. Sourced by up and down.

# open_run [FOLDER]: sets $run, and keeps every other up and down out of it until this one ends.
# What is started is not to have descriptor 9.
open_run() {
  run=${1:-${XDG_STATE_HOME:-$HOME/.local/state}/weft-examples/llm}
  mkdir -p "$run"
  run=$(cd "$run" && pwd)
  exec 9>"$run/lock"
  flock -w 600 9
}

# Clock ticks since the machine started; empty: there is no such process, or it has ended.
began() {
  sed -n 's/.*) [^ZX] //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f19
}

# note NAME PID
note() {
  echo "$2 $(began "$2")" >"$run/$1.pid"
}

# pid_of NAME: prints the pid, while it is the process that was noted.
pid_of() {
  [ -s "$run/$1.pid" ] && read -r pid since <"$run/$1.pid" || return 1
  [ -n "$since" ] && [ "$(began "$pid")" = "$since" ] && echo "$pid"
}

# stop NAME: SIGTERM, and SIGKILL for what is there after ten seconds.
stop() {
  if pid=$(pid_of "$1"); then
    kill -TERM "$pid"
    tries=100
    while pid_of "$1" >/dev/null && [ "$tries" -gt 0 ]; do
      sleep 0.1
      tries=$((tries - 1))
    done
    ! pid=$(pid_of "$1") || kill -KILL "$pid"
  fi
  rm -f "$run/$1.pid"
}
