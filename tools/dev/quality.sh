# How the sources look: format and lint.

help_fmt() {
    cat <<'TEXT'
usage: ./dev fmt [--check]

Formats the C++ sources with clang-format 14; --check changes nothing and fails if it would.
TEXT
}

command_fmt() {
    local mode=(-i)
    case "${1:-}" in
        '') ;;
        --check) mode=(--dry-run -Werror) ;;
        *) die "fmt knows only --check" 2 ;;
    esac
    # shellcheck disable=SC2086
    need $PACKAGES_FORMAT
    cpp_files | xargs -r -d '\n' clang-format-14 "${mode[@]}"
}

help_lint() {
    cat <<'TEXT'
usage: ./dev lint [--all | FILE.cpp…]

clang-tidy 14 over the C++ sources that differ from the last commit (--all: over all, or those
named), the rules of tests/tidy, and the syntax of the Python and shell files.
TEXT
}

command_lint() {
    local files failed=0
    # shellcheck disable=SC2086
    need $PACKAGES_LINT
    need_for_build release
    configure release
    case "${1:-}" in
        --all) files="$(cpp_files)" ;;
        -*) die "lint knows only --all" 2 ;;
        '') files="$(changed_files)" ;;
        *) files="$(printf '%s\n' "$@")" ;;
    esac
    run_clang_tidy "$files" || failed=1
    python3 tests/tidy || failed=1
    python3 -m compileall -q tests tools || failed=1
    bash -n dev tools/dev/*.sh .ci/run || failed=1
    [ "$failed" = 0 ] || die "lint found something (above)"
    say "lint found nothing"
}

changed_files() {
    {
        git diff --name-only --diff-filter=d HEAD -- '*.cpp'
        git ls-files -o --exclude-standard -- '*.cpp'
    } | sort -u
}

# A header is read with the sources that include it. Fuzz targets are not in the release build.
run_clang_tidy() {
    local sources
    sources="$(grep '\.cpp$' <<<"$1" | grep -v '_fuzz\.cpp$' || true)"
    [ -n "$sources" ] || return 0
    say "clang-tidy over $(wc -l <<<"$sources") files"
    xargs -d '\n' -n 1 -P "$(jobs_count)" clang-tidy-14 -p build/release --quiet <<<"$sources" \
        2> >(grep -v -e 'warnings\? generated' -e 'Suppressed' -e 'Use -header-filter' >&2)
}
