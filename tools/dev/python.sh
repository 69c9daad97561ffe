# The Python environment of the tests: .venv, made from tests/requirements.txt.

VENV="$ROOT/.venv"

# The first python3 that can make an environment: PATH's own may be a bare one.
python_with_venv() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

need_python() {
    local python stamp
    python="$(python_with_venv)" || {
        # shellcheck disable=SC2086
        need $PACKAGES_PYTHON
        python="$(python_with_venv)" || die "no python3 of 3.11 or later with venv"
    }
    stamp="$(sha256sum <tests/requirements.txt | cut -c1-64)"
    [ "$(cat "$VENV/adtally-stamp" 2>/dev/null)" = "$stamp" ] && [ -x "$VENV/bin/python" ] &&
        return 0
    say "making the tests' Python environment in .venv"
    rm -rf "$VENV"
    "$python" -m venv "$VENV" || die "python3 -m venv failed: apt-get install python3-venv"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --requirement tests/requirements.txt || die "pip could not install tests/requirements.txt"
    printf '%s\n' "$stamp" >"$VENV/adtally-stamp"
}
