# Running the tests, stage by stage; the last line is `N passed, N failed[, N skipped]`.

RESULTS="$ROOT/build/test-results"

help_test() {
    cat <<'TEXT'
usage: ./dev test [STAGE…] [-- ARGS…]

  unit         the *_test executables (GoogleTest); ARGS go to ctest; GTEST_FILTER works
  integration  pytest tests/integration, and the tests of harness and simulation; ARGS go to pytest
  e2e          pytest tests/e2e; ARGS go to pytest: ./dev test e2e -- -k batch
  chaos        pytest tests/chaos: the full stack (Kafka, Redis) with parts killed under load; by
               name at full length (over an hour), in `all` shortened
  sim          100,000 simulated worlds by seed (tests/sim); by name only, a short form is in unit;
               ARGS go to adtally-sim: ./dev test sim -- --seed 4711
  tidy         format, the rules of tests/tidy, and the rules' own tests
  sanitizers   unit tests under ASan+UBSan and under TSan, and the e2e tests marked `smoke` on the
               ASan build
  all          everything, which is the default

Goes on after a failure, prints what failed at the end, and exits 1 if anything did.
Environment: ADTALLY_BINARY (the executable that pytest starts), ADTALLY_DATA (the folder of real
logs), ADTALLY_SEED (the seed of the generated ones).
TEXT
}

command_test() {
    local stages=() stage
    while [ $# -gt 0 ]; do
        case "$1" in
            unit | integration | e2e | sim) stages+=(build-release "$1") ;;
            chaos)
                # By name: the full length, if nothing else is wished.
                export CHAOS_KILLS="${CHAOS_KILLS:-30}" CHAOS_FREEZES="${CHAOS_FREEZES:-10}"
                export CHAOS_JOIN_SECONDS="${CHAOS_JOIN_SECONDS:-120}"
                export OUTAGE_SECONDS="${OUTAGE_SECONDS:-60}"
                export CHAOS_NETWORK_ROUNDS="${CHAOS_NETWORK_ROUNDS:-20}"
                stages+=(build-release chaos)
                ;;
            tidy) stages+=(format tidy) ;;
            sanitizers) stages+=(asan tsan) ;;
            all) stages+=("${ALL_STAGES[@]}") ;;
            --)
                shift
                break
                ;;
            *)
                die "no test stage '$1'; see ./dev test --help" 2
                ;;
        esac
        shift
    done
    [ ${#stages[@]} -gt 0 ] || stages=("${ALL_STAGES[@]}")
    need_for_tests "${stages[@]}"
    rm -rf "$RESULTS"
    local done=" "
    for stage in "${stages[@]}"; do
        [[ "$done" == *" $stage "* ]] && continue
        done+="$stage "
        run_stage "$stage" "$@"
    done
    exec "$VENV/bin/python" tools/dev/count_tests.py "$RESULTS"
}

ALL_STAGES=(format tidy build-release unit integration e2e chaos asan tsan)

need_for_tests() {
    # shellcheck disable=SC2086
    [[ " $* " == *" format "* ]] && need $PACKAGES_FORMAT
    # shellcheck disable=SC2086
    [[ " $* " == *" build-release "* || " $* " == *san* ]] && need $PACKAGES_BUILD $PACKAGES_RUN
    # shellcheck disable=SC2086
    [[ " $* " == *" chaos "* ]] && need $PACKAGES_RUN $PACKAGES_FULL $PACKAGES_CHAOS
    need_python
}

# run_stage NAME ARGS…: in a process of its own, so that one that dies does not end the run.
run_stage() {
    local stage="$1" code=0 began=$SECONDS
    shift
    mkdir -p "$RESULTS/$stage"
    printf '\n==> %s\n' "$stage"
    set +e
    (
        set -e
        "stage_${stage//-/_}" "$RESULTS/$stage" "$@"
    )
    code=$?
    set -e
    printf '%s %s\n' "$code" "$((SECONDS - began))" >"$RESULTS/$stage/outcome"
    printf '==> %s: %s after %s s\n' "$stage" "$([ $code = 0 ] && echo ok || echo FAILED)" \
        "$((SECONDS - began))"
}

stage_format() { command_fmt --check; }

stage_tidy() {
    local code=0
    "$VENV/bin/python" tests/tidy --junit "$1/rules.xml" || code=1
    run_pytest "$1" tests/tidy || code=1
    return $code
}

# All of it, so that benchmarks and tools are known to compile.
stage_build_release() { build release; }

stage_unit() {
    local results="$1"
    shift
    run_ctest "$results" release "$@"
}

# With the tests of the harness and of the simulation: what the others stand on.
stage_integration() { run_pytest "$1" "tests/support tests/sim tests/integration" "${@:2}"; }
stage_e2e() { run_pytest "$1" tests/e2e "${@:2}"; }
stage_sim() { build/release/bin/adtally-sim "${@:2}"; }
stage_chaos() { run_pytest "$1" tests/chaos "${@:2}"; }

stage_asan() {
    local code=0
    export ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
    export UBSAN_OPTIONS="print_stacktrace=1"
    build debug unit_tests adtally
    run_ctest "$1" debug || code=1
    ADTALLY_BINARY="$ROOT/build/debug/bin/adtally" run_pytest "$1" tests/e2e -m smoke || code=1
    return $code
}

stage_tsan() {
    build tsan unit_tests
    TSAN_OPTIONS="second_deadlock_stack=1:suppressions=$ROOT/tests/support/tsan.supp" \
        run_ctest "$1" tsan
}

# run_ctest RESULTS PRESET ARGS…: each executable writes its cases, ctest whether it ended well.
run_ctest() {
    local results="$1" preset="$2" prefix=()
    shift 2
    # g++ 12's TSan knows only narrow address randomisation; kernels since 2024 use a wider one.
    if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then prefix=(setarch -R); fi
    GTEST_OUTPUT="xml:$results/" "${prefix[@]}" ctest --test-dir "build/$preset" \
        --parallel "$(jobs_count)" --timeout 600 --output-on-failure --no-tests=error \
        --output-junit "$results/ctest.junit" "$@"
}

# run_pytest RESULTS FOLDERS ARGS…
run_pytest() {
    local results="$1" folders="$2"
    shift 2
    # shellcheck disable=SC2086
    "$VENV/bin/python" -m pytest $folders --junitxml="$results/pytest.xml" "$@"
}
