"""Runs one command of adtally to its end."""

import subprocess

from support.harness import binary, clean_environment


def run_adtally(*arguments, environment=None, cwd=None, timeout=60):
    """The finished process, with what it printed."""
    return subprocess.run(
        [str(binary()), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=timeout, cwd=cwd, env=clean_environment(environment), check=False)
