#!/usr/bin/env bash
# Everything that can be said against the sources without running them. Usage: check.sh BUILD_DIRECTORY JOBS
# All the checks run even when one has failed; the last line tells which did.
set -euo pipefail

build=$1
jobs=$2
failed=()

. tools/dev/stages.sh

mapfile -d '' -t sources < <(sources_list)
# The C sources. Asio's peers are C++, written as its own examples are, and its headers would take the checkers minutes.
mapfile -t compiled < <(sed -nE 's/^ *"file": "(.*\.c)",?$/\1/p' "$build/compile_commands.json" |
    grep -v "^$PWD/build/" | sort -u)

# check NAME COMMAND...
check()
{
    local name=$1
    shift
    if "$@"; then
        echo "$name: ok"
    else
        echo "$name: FAILED"
        failed+=("$name")
    fi
}

check_format()
{
    clang-format --dry-run -Werror "${sources[@]}"
}

check_tidy()
{
    printf '%s\0' "${compiled[@]}" | xargs -0 -n 1 -P "$jobs" clang-tidy --quiet -p "$build" \
        --extra-arg=-include --extra-arg="$PWD/tools/dev/analysis.h" 2>&1 |
        { grep -vE '^[0-9]+ warnings? (generated|treated)' || true; }
}

# Only what cppcheck is sure of.
check_cppcheck()
{
    mkdir -p "$build/cppcheck"
    cppcheck --project="$build/compile_commands.json" --file-filter='*.c' -j "$jobs" --quiet --std=c11 --error-exitcode=1 \
        --enable=warning,performance,portability --inline-suppr --library=tools/dev/cppcheck.cfg \
        --cppcheck-build-dir="$build/cppcheck" --suppressions-list=tools/dev/cppcheck.suppressions
}

# none PATTERN WHY FILE...: no line may match; prints those that do.
none()
{
    local pattern=$1 why=$2
    shift 2
    (($#)) || return 0
    if grep -nHE "$pattern" "$@"; then
        echo "  ^ $why"
        return 1
    fi
}

check_unfinished()
{
    none '\b(TODO|FIXME|XXX|HACK)\b|not implemented|placeholder|for now\b' \
        'finish it, or open an issue' "${sources[@]}"
}

# Systems differ inside backends/ and os_*.c; the rest of the core is the same for all.
check_systems()
{
    local file inside=()
    for file in "${sources[@]}"; do
        case $file in
        libcport/os.h | libcport/os_*.c | libcport/workers/os_*.[ch]) ;;
        libcport/*) inside+=("$file") ;;
        esac
    done
    none '^#\s*(if|ifdef|ifndef|elif).*\b(_WIN32|__linux__)' \
        'system differences belong to os_*.c or a backend' "${inside[@]}"
}

check_lengths()
{
    local file lines bad=0
    for file in "${sources[@]}"; do
        lines=$(wc -l <"$file")
        if ((lines > 800)); then
            echo "$file: $lines lines; a concept is hiding in it"
            bad=1
        fi
    done
    return "$bad"
}

check_scripts()
{
    shellcheck -x -P SCRIPTDIR -S warning dev .ci/run tools/dev/*.sh tools/mingw/* tests/*/*.sh packaging/*.bash
}

check format check_format
check unfinished check_unfinished
check systems check_systems
check lengths check_lengths
check scripts check_scripts
check tidy check_tidy
check cppcheck check_cppcheck

if ((${#failed[@]})); then
    echo "failed: ${failed[*]}"
    exit 1
fi
