# Shared by the commands of ./dev: saying things, ending, and who one is.

say() { printf 'dev: %s\n' "$*" >&2; }

# die MESSAGE [CODE]: one line with the remedy; 1 the environment is broken, 2 wrong usage.
die() {
    printf 'dev: %s\n' "$1" >&2
    exit "${2:-1}"
}

is_interactive() { [ -t 0 ] && [ "${CI:-}" != true ]; }

# as_root COMMAND…: directly for root, through sudo for others, which may ask for the password
# only where somebody can type it.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif is_interactive; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null || return 1
    is_interactive || sudo -n true 2>/dev/null
}

jobs_count() { nproc 2>/dev/null || echo 2; }

# cpp_files: the C++ sources that git tracks or would add and that exist.
cpp_files() {
    git ls-files -co --exclude-standard -- '*.cpp' '*.hpp' | sort -u | while read -r file; do
        if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
}
