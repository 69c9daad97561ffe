#!/usr/bin/env bash
# Installs Debian packages. Run as root by ./dev with the names of packages that are not installed.
#
# Problem. Debian starts a service as soon as its package is installed, and again at each boot. The
# system's redis-server would take port 6379, which adtally's own one needs; nginx would take 80.
#
# Design. invoke-rc.d and deb-systemd-invoke both ask /usr/sbin/policy-rc.d before they start
# anything (RUNLEVEL=1 is no way: under systemd neither looks at it). While apt-get runs, a policy
# stands there that refuses the services of the packages that come in now, and asks the policy that
# was there before, if any, about all others. Afterwards the services that came in are disabled.
#
# Promise. A service whose package was installed before is neither stopped, disabled nor kept from
# restarting. The former policy is put back however this script ends.
set -euo pipefail

POLICY=/usr/sbin/policy-rc.d
FORMER=/usr/sbin/policy-rc.d.before-adtally
MARK="# Stands for the length of one apt-get of adtally's ./dev: keeps new services from starting."
export DEBIAN_FRONTEND=noninteractive

# The services that would come in new with these packages; an upgrade is listed as [old] (new).
new_services() {
    local plan service
    plan="$(apt-get -s install -y --no-install-recommends "$@")"
    for service in redis-server nginx; do
        if grep -q "^Inst $service (" <<<"$plan"; then printf '%s ' "$service"; fi
    done
}

put_policy() {
    if grep -qs "$MARK" "$POLICY"; then rm "$POLICY"; fi # left by a run that was killed
    if [ -e "$POLICY" ]; then mv "$POLICY" "$FORMER"; fi
    {
        echo '#!/bin/sh'
        echo "$MARK"
        echo "case \"\$1\" in --quiet) name=\"\$2\" ;; *) name=\"\$1\" ;; esac"
        echo "case \"\${name%.service}\" in"
        for service in "$@"; do echo "    $service) exit 101 ;;"; done
        echo "esac"
        echo "[ -x $FORMER ] && exec $FORMER \"\$@\""
        echo "exit 0"
    } >"$POLICY"
    chmod 755 "$POLICY"
}

restore_policy() {
    rm -f "$POLICY"
    if [ -e "$FORMER" ]; then mv "$FORMER" "$POLICY"; fi
}

apt-get update -q -o DPkg::Lock::Timeout=300 ||
    echo "dev: apt-get update failed; going on with the lists that are there" >&2
read -r -a services <<<"$(new_services "$@")"

if [ ${#services[@]} -gt 0 ]; then
    echo "dev: the system's ${services[*]} is not started and not enabled: adtally runs its own" >&2
    trap restore_policy EXIT
    trap 'exit 130' INT TERM HUP
    put_policy "${services[@]}"
fi

apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"

for service in "${services[@]}"; do
    update-rc.d "$service" disable >/dev/null 2>&1 ||
        echo "dev: $service could not be disabled: it will start at the next boot" >&2
done
