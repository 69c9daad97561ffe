# Running the libFuzzer targets.

help_fuzz() {
    cat <<'TEXT'
usage: ./dev fuzz [SECONDS] [TARGET…]

Builds the fuzz targets with clang, AddressSanitizer and UndefinedBehaviorSanitizer and runs each
(or those named) for SECONDS (60). Corpora grow in build/fuzz/corpus/TARGET; an input that breaks
something is kept in build/fuzz/findings and is run again by: build/fuzz/…/TARGET FILE
TEXT
}

command_fuzz() {
    local seconds=60 target name failed=0
    case "${1:-}" in
        '' | *[!0-9]*) ;;
        *)
            seconds="$1"
            shift
            ;;
    esac
    need_for_build fuzz
    build fuzz fuzzers
    mkdir -p build/fuzz/findings
    while read -r target; do
        name="$(basename "$target")"
        [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
        fuzz_one "$target" "$name" "$seconds" || failed=1
    done < <(find build/fuzz/src -type f -name '*_fuzz' -perm -u+x | sort)
    if [ -n "$(ls build/fuzz/findings)" ]; then
        say "findings (of this and of earlier runs):"
        ls -l build/fuzz/findings >&2
    fi
    [ "$failed" = 0 ] || die "a fuzz target found something (above)"
    say "no fuzz target found anything"
}

# fuzz_one PATH NAME SECONDS: seeds beside the source (src/…/NAME_seeds/) are read, never written.
fuzz_one() {
    local corpus="build/fuzz/corpus/$2" log="build/fuzz/$2.log" seeds
    mkdir -p "$corpus"
    seeds="$(find src -type d -name "$2_seeds" | head -n 1)"
    say "$2 for $3 s"
    if ! env ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-14 "$1" -max_total_time="$3" \
        -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/findings/$2-" "$corpus" ${seeds:+"$seeds"} \
        >"$log" 2>&1 </dev/null; then
        tail -n 60 "$log" >&2
        return 1
    fi
    grep -E 'stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$log" >&2 || true
}
