# Measuring.

help_bench() {
    cat <<'TEXT'
usage: ./dev bench [SCENARIO] [OPTION…]

Builds release and runs bench/run with the scenario named (all by default). nginx is installed as
the control to measure against, and what Kafka needs for the scenarios of the full stack; no service
is started. bench/run --help lists scenarios and options.
TEXT
}

command_bench() {
    [ -x bench/run ] || die "bench/run is not there or not executable"
    # shellcheck disable=SC2086
    need $PACKAGES_RUN $PACKAGES_BENCH
    # shellcheck disable=SC2086
    [[ " $* " != *" full"* ]] || need $PACKAGES_FULL $PACKAGES_CHAOS
    need_for_build release
    need_python
    build release
    [ $# -gt 0 ] || set -- all
    exec bench/run "$@"
}
