# Building by preset.

help_build() {
    cat <<'TEXT'
usage: ./dev build [release|debug|tsan|fuzz] [TARGET…]

Builds everything of the preset (release by default), or the targets named, into build/PRESET.
debug has AddressSanitizer and UndefinedBehaviorSanitizer, tsan ThreadSanitizer; fuzz needs clang.
ccache and mold are used; a second checkout shares the cache.
TEXT
}

command_build() {
    local preset="${1:-release}"
    [ $# -gt 0 ] && shift
    case "$preset" in
        release | debug | tsan | fuzz) ;;
        *) die "no preset '$preset'; there are: release debug tsan fuzz" 2 ;;
    esac
    need_for_build "$preset"
    build "$preset" "$@"
}

# need_for_build [PRESET]
need_for_build() {
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $([ "${1:-release}" = fuzz ] && echo "$PACKAGES_FUZZ")
}

# build PRESET [TARGET…]: configures once; after that ninja itself sees what has changed.
build() {
    local preset="$1"
    shift
    # Two checkouts at different paths share what ccache holds.
    export CCACHE_BASEDIR="$ROOT" CCACHE_NOHASHDIR=1
    configure "$preset"
    # Nothing is to be said when nothing is to be done.
    [ -e "build/$preset/.ninja_deps" ] ||
        say "building $preset for the first time: about 10 minutes on two cores, quietly"
    ninja -C "build/$preset" -j "$(jobs_count)" --quiet "$@" ||
        die "the build of $preset failed; the first error above is the one to look at"
}

configure() {
    local preset="$1" log="build/$1/configure.log"
    [ -f "build/$preset/build.ninja" ] && return 0
    say "configuring $preset"
    mkdir -p "build/$preset"
    # CXX of the caller is not ours: the presets name the compiler, Debian's g++ being the default.
    if ! env -u CXX -u CC -u CXXFLAGS cmake --preset "$preset" >"$log" 2>&1; then
        cat "$log" >&2
        die "cmake --preset $preset failed (above, and in $log)"
    fi
}
