# Starting and stopping adtally for somebody at a keyboard.
#
# `up` becomes adtally by exec, so that signals, exit code and process id are its own. Before that
# it leaves a note of its id in .cache/run, by which `down` finds it again: an id alone may have
# been given to another process since, so the note holds the start time too.

RUN_NOTES="$ROOT/.cache/run"

help_up() {
    cat <<'TEXT'
usage: ./dev up [--demo] [--detach] [--port-offset N] [--data-dir D] [-- ARGS…]
       ./dev up --stack full [--collectors N] [--processors N] [--kafka HOST:PORT,…] […]

Installs and builds what is missing, then runs every service in one process in the foreground:
collector :8085, processor :8086, Redis :6379 (its own, started and supervised). Ctrl-C stops it.
A second one beside it needs ports and a directory of its own: --port-offset and --data-dir.

  --demo           also replay a sample, keep a lifelike stream running, show a live table
  --detach         return as soon as it is ready; ./dev down stops it
  --port-offset N  add N to every port
  --data-dir D     where events and metrics are kept (data/ in the repository)
  --stack S        embedded (default), or full: Apache Kafka :9092 (fetched from Maven Central),
                   Redis :6379, every service a process of its own, logs in the data directory
  --collectors N   full stack: so many collectors, ports 100 apart
  --processors N   full stack: so many processors, ports 100 apart
  --kafka H:P,…    full stack: use this Kafka instead of starting one
  -- ARGS…         handed as they are to `adtally all` (or `adtally demo`), or to the full stack:
                   --set KEY=VALUE
TEXT
}

command_up() {
    local subcommand=all detach=no offset=0 data_dir="$ROOT/data" stack=embedded
    local full=()
    while [ $# -gt 0 ]; do
        case "$1" in
            --demo) subcommand=demo ;;
            --detach) detach=yes ;;
            --port-offset | --data-dir | --stack | --collectors | --processors | --kafka)
                [ $# -ge 2 ] || die "$1 needs a value" 2
                case "$1" in
                    --port-offset) offset="$2" ;;
                    --data-dir) data_dir="$(from_callers_directory "$2")" ;;
                    --stack) stack="$2" ;;
                    *) full+=("$1" "$2") ;;
                esac
                shift
                ;;
            --port-offset=*) offset="${1#*=}" ;;
            --data-dir=*) data_dir="$(from_callers_directory "${1#*=}")" ;;
            --stack=*) stack="${1#*=}" ;;
            --collectors=* | --processors=* | --kafka=*) full+=("$1") ;;
            --)
                shift
                break
                ;;
            *) die "up does not know '$1'; arguments for adtally itself come after --" 2 ;;
        esac
        shift
    done
    case "$offset" in '' | *[!0-9]*) die "--port-offset takes a number, not '$offset'" 2 ;; esac
    case "$stack" in
        embedded)
            [ ${#full[@]} = 0 ] || die "${full[0]%%=*} belongs to --stack full" 2
            ;;
        full)
            [ "$subcommand" = all ] || die "--demo runs on the embedded stack" 2
            ;;
        *) die "no stack '$stack'; there are: embedded full" 2 ;;
    esac
    [ "$detach" = yes ] && [ "$subcommand" = demo ] &&
        die "--demo draws on the terminal; it cannot be detached" 2

    # shellcheck disable=SC2086
    need $PACKAGES_RUN
    need_for_build release
    build release adtally
    mkdir -p "$data_dir" || die "cannot make $data_dir; name another with --data-dir"
    data_dir="$(readlink -f "$data_dir")"
    refuse_second "$offset" "$data_dir"
    if [ "$stack" = full ]; then
        # shellcheck disable=SC2086
        need $PACKAGES_FULL
        set -- "$ROOT/deploy/full/full_stack.py" --adtally "$ROOT/build/release/bin/adtally" \
            --port-offset "$offset" --data-dir "$data_dir/full" "${full[@]}" "$@"
    else
        set -- "$ROOT/build/release/bin/adtally" "$subcommand" --port-offset "$offset" \
            --data-dir "$data_dir" "$@"
    fi
    if [ "$detach" = yes ]; then
        start_detached "$offset" "$data_dir" "$@"
    else
        leave_note "$$" "$data_dir" "$offset"
        say "starting adtally; Ctrl-C stops it"
        # Not if somebody else is there: it would be the other's readiness that is told.
        if [ "$subcommand" = all ] && ! answering_port "$offset" >/dev/null; then
            # Twice away, so that it is nobody's child that adtally would have to collect.
            (announce_when_ready "$$" "$offset" </dev/null &)
        fi
        exec "$@"
    fi
}

# A relative path means the directory in which ./dev was called, not the repository's root.
from_callers_directory() {
    case "$1" in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s\n' "$CALLER/$1" ;;
    esac
}

# refuse_second OFFSET DATA_DIR: what runs already keeps its data, its ports and its log.
refuse_second() {
    local note pid started data_dir offset
    for note in "$RUN_NOTES"/*; do
        [ -f "$note" ] || continue
        pid="$(basename "$note")"
        data_dir='' offset=''
        { read -r started && read -r data_dir && read -r offset; } <"$note" || true
        is_running "$pid" "$started" || continue
        if [ "$data_dir" = "$2" ] || [ "$offset" = "$1" ]; then
            die "adtally runs already (process $pid, data in $data_dir, port offset $offset); \
./dev down stops it; --port-offset N and --data-dir D together run another beside it"
        fi
    done
}

# answering_port OFFSET: prints the first of our ports on which somebody listens; 1 if nobody does.
answering_port() {
    local port
    for port in $((8085 + $1)) $((8086 + $1)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return 0
        fi
    done
    return 1
}

start_detached() {
    local offset="$1" data_dir="$2" log="$2/adtally.log" pid tries port started
    shift 2
    if port="$(answering_port "$offset")"; then
        die "port $port is in use (by whom: ss -ltnp 'sport = :$port'); stop that process, or move \
all ports with --port-offset N"
    fi
    # Appended to: should another checkout's adtally write there, it is not robbed of its words.
    setsid "$@" </dev/null >>"$log" 2>&1 &
    pid=$!
    leave_note "$pid" "$data_dir" "$offset"
    started="$(start_time "$pid")"
    for ((tries = 0; tries < 600; ++tries)); do
        is_running "$pid" "$started" || break
        if is_all_ready "$offset" && is_running "$pid" "$started"; then
            say "adtally runs (process $pid, log in $log); ./dev down stops it"
            say_ready "$offset"
            return 0
        fi
        sleep 0.2
    done
    tail -n 20 "$log" >&2
    is_running "$pid" "$started" && die "not ready after 120 s, but it runs; ./dev down stops it"
    die "adtally did not start (its last words are above, all of them in $log)"
}

# announce_when_ready PID OFFSET
announce_when_ready() {
    local started
    started="$(start_time "$1")"
    while is_running "$1" "$started"; do
        if is_all_ready "$2" && is_running "$1" "$started"; then
            say_ready "$2"
            return 0
        fi
        sleep 0.2
    done
}

say_ready() {
    local processor="http://localhost:$((8086 + $1))"
    say "ready: collector on http://localhost:$((8085 + $1)), processor on $processor; \
try in another terminal: curl $processor/api/pipeline/status"
}

is_all_ready() { is_ready $((8085 + $1)) && is_ready $((8086 + $1)); }

is_ready() {
    curl --silent --fail --max-time 2 --output /dev/null \
        "http://127.0.0.1:$1/actuator/health/readiness"
}

# leave_note PID DATA_DIR OFFSET
leave_note() {
    mkdir -p "$RUN_NOTES"
    printf '%s\n%s\n%s\n' "$(start_time "$1")" "$2" "$3" >"$RUN_NOTES/$1"
}

# is_running PID START_TIME: the same process, and not one that has ended and waits to be collected.
is_running() {
    [ "$(start_time "$1")" = "$2" ] && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

# The 22nd field of /proc/PID/stat; the second, the name, may hold blanks and brackets.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

help_down() {
    cat <<'TEXT'
usage: ./dev down

Stops every adtally that `./dev up` of this checkout started and that still runs, and waits up to
90 s for each. Nothing else is touched.
TEXT
}

command_down() {
    [ $# -eq 0 ] || die "down takes no arguments" 2
    local note pid started data_dir tries stopped=0 left=0
    for note in "$RUN_NOTES"/*; do
        [ -f "$note" ] || continue
        pid="$(basename "$note")"
        { read -r started && read -r data_dir; } <"$note" || true
        if [ -z "$started" ] || ! is_running "$pid" "$started"; then
            rm -f "$note" # it has ended by itself
            continue
        fi
        say "stopping adtally (process $pid, data in $data_dir)"
        kill -TERM "$pid" 2>/dev/null || true
        for ((tries = 0; tries < 900; ++tries)); do
            is_running "$pid" "$started" || break
            sleep 0.1
        done
        if ! is_running "$pid" "$started"; then
            rm -f "$note"
            stopped=$((stopped + 1))
        else
            say "process $pid still runs after 90 s; kill -9 $pid ends it, nothing accepted is lost"
            left=$((left + 1))
        fi
    done
    [ "$left" -eq 0 ] || exit 1
    if [ "$stopped" -eq 0 ]; then say "nothing is running"; else say "stopped $stopped"; fi
}
