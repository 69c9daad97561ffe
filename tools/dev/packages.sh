# Debian packages: what each command needs, and how the missing ones are installed.

PACKAGES_RUN="redis-server redis-tools curl"
PACKAGES_BUILD="g++ cmake ninja-build ccache mold git pkg-config
    libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
    libsimdjson-dev librocksdb-dev liblz4-dev librdkafka-dev libhiredis-dev
    libspdlog-dev libfmt-dev libcli11-dev
    prometheus-cpp-dev libbenchmark-dev libgtest-dev libgmock-dev
    libssl-dev libsodium-dev libcurl4-openssl-dev libyaml-cpp-dev libgoogle-perftools-dev"
PACKAGES_FULL="default-jre-headless maven python3"
PACKAGES_CHAOS="kcat"
PACKAGES_PYTHON="python3 python3-venv"
PACKAGES_FORMAT="clang-format-14 git"
PACKAGES_LINT="clang-tidy-14"
PACKAGES_FUZZ="clang-14 libclang-rt-14-dev llvm-14"
PACKAGES_BENCH="nginx-light"

# need PACKAGE…: installs those that are not there.
need() {
    command -v dpkg-query >/dev/null ||
        die "this is not a Debian system: install these by your own package manager: $*"
    local missing
    missing="$(missing_packages "$@")"
    [ -z "$missing" ] && return 0
    # One package a word from here on.
    # shellcheck disable=SC2086
    set -- $missing
    can_be_root || die "not installed, and neither root nor sudo is to be had: apt-get install $*"
    say "installing: $*"
    as_root bash "$ROOT/tools/dev/install_packages.sh" "$@" ||
        die "apt-get could not install them (its own words are above)"
}

missing_packages() {
    local installed name
    installed=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' "$@" 2>/dev/null || true) "
    for name in "$@"; do
        case "$installed" in
            *" ii $name "* | *" hi $name "*) ;;
            *) printf '%s ' "$name" ;;
        esac
    done
}
