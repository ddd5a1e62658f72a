# What a Debian system needs, and how it gets there. Sourced by dev.
# shellcheck shell=bash disable=SC2034

packages_build=(cmake ninja-build pkg-config gcc g++ libc6-dev liburing-dev libcmocka-dev libxxhash-dev libzstd-dev
    libsodium-dev libinih-dev libcurl4-openssl-dev libhwloc-dev)
packages_clang=(clang libclang-rt-dev)
packages_check=(clang clang-format clang-tidy cppcheck shellcheck)
packages_bench=(libuv1-dev libboost-dev libevent-dev libev-dev valgrind)
packages_wine=(gcc-mingw-w64-x86-64-win32 wine64 dpkg-dev)
# The benchmark starts these itself, where and when it wants them.
packages_servers=(redis-server nats-server mosquitto nginx-light)

package_installed()
{
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# packages_install PACKAGE...: from the lists at hand, or from fresh ones when those are absent or stale.
packages_install()
{
    local -a as_root=()
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "These packages are missing and neither root nor sudo is at hand to install them:" >&2
            echo "  apt-get install $*" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq)
    local log=build/logs/packages.log
    mkdir -p build/logs
    echo "installing: $*"
    if "${apt[@]}" install -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null; then
        return 0
    fi
    if ! "${apt[@]}" update >>"$log" 2>&1 </dev/null ||
        ! "${apt[@]}" install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        echo "Could not install: $*" >&2
        return 1
    fi
}

# packages_quiet_servers ROOT...: servers that are about to be installed are not to run, neither now nor after the next start of
# the machine. ROOT: nothing, or how to become root. Prints the file that must go when they are there, if any.
packages_quiet_servers()
{
    local unit policy=/usr/sbin/policy-rc.d
    if command -v systemctl >/dev/null; then
        for unit in redis-server nats-server mosquitto nginx; do
            "$@" systemctl mask --quiet "$unit.service" >&2 || true # there is no systemd to be told
        done
    fi
    # The interface of invoke-rc.d and deb-systemd-invoke to say that nothing is to be started: status 101.
    if [[ ! -e $policy ]] && printf '#!/bin/sh\nexit 101\n' | "$@" tee "$policy" >/dev/null; then
        "$@" chmod 755 "$policy"
        echo "$policy"
    fi
}

# packages_need_servers: those of packages_servers that are missing. Who has one already keeps it as it is.
packages_need_servers()
{
    local missing=() package policy status=0
    local -a as_root=()
    command -v dpkg-query >/dev/null || return 0
    for package in "${packages_servers[@]}"; do
        package_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || as_root=(sudo)
    policy=$(packages_quiet_servers "${as_root[@]}")
    packages_install "${missing[@]}" || status=$?
    [[ -z $policy ]] || "${as_root[@]}" rm -f "$policy"
    return "$status"
}

packages_need()
{
    if ! command -v dpkg-query >/dev/null; then
        echo "Not a Debian system; expecting the equivalents of: $*" >&2
        return 0
    fi
    local missing=() package
    for package in "$@"; do
        package_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]} == 0)) || packages_install "${missing[@]}"
}
