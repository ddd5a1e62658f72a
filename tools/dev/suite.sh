# What ./dev test consists of. Sourced by dev.
# shellcheck shell=bash disable=SC2034,SC2154

suite_all=(check release shared engines debug asan tsan clang fuzz bench wine)
suite_fast=(release)
# Wine's programs wait for its server, and that waits for them: what runs beside them hardly slows either.
suite_beside=(wine)

# Every test bears one of these labels; stage_tests runs and counts them one by one.
suite_labels=(unit cts example server soak crowd install docs)

suite_packages()
{
    local -A wanted=()
    local stage package
    for package in "${packages_build[@]}"; do wanted[$package]=1; done
    for stage in "$@"; do
        case $stage in
        clang | fuzz) for package in "${packages_clang[@]}"; do wanted[$package]=1; done ;;
        wine) for package in "${packages_clang[@]}" "${packages_wine[@]}"; do wanted[$package]=1; done ;;
        bench) for package in "${packages_bench[@]}"; do wanted[$package]=1; done ;;
        check) for package in "${packages_check[@]}" "${packages_bench[@]}"; do wanted[$package]=1; done ;;
        esac
    done
    packages_need "${!wanted[@]}"
    if [[ " $* " == *' bench '* ]]; then
        packages_need_servers
    fi
}

# labels_test PRESET LABEL...: runs the tests of each label; all of them, even after a failure. without: a pattern of labels whose
# tests are left out. at_once: how many run at a time; twice as many as there are processors, since many wait more than they compute.
labels_test()
{
    local preset=$1 label status=0
    shift
    for label in "$@"; do
        ctest --test-dir "build/$preset" -L "^$label\$" ${without:+-LE "$without"} -j "${at_once:-$((2 * jobs))}" --output-on-failure --no-tests=error \
            --timeout 300 --output-junit "$PWD/build/results/$stage/$label.xml" || status=1
    done
    return "$status"
}

# labels_complete PRESET: a test without a label would never run; that must not go unnoticed.
labels_complete()
{
    local any
    any=$(printf '|%s' "${suite_labels[@]}")
    ! ctest --test-dir "build/$1" -N -LE "^(${any#|})\$" | grep -E '^ +Test +#' || {
        echo "The tests above bear no label that is ever run."
        return 1
    }
}

# suite_summary STAGE...: how many cases of the conformance suite each configuration ran.
suite_summary()
{
    local stage
    for stage in "$@"; do
        [[ -f build/results/$stage/cts.xml ]] || continue
        sed -nE 's|.*<testcase name="cts/([^/]+)/.*|\1|p' "build/results/$stage/cts.xml" | sort | uniq -c |
            awk -v stage="$stage" '{ printf "%s%s %d", NR == 1 ? "\nconformance, " stage ": " : ", ", $2, $1 }'
    done
    echo
}

stage_release()
{
    preset_build release
    labels_complete release
    labels_test release "${suite_labels[@]}"
}

stage_shared()
{
    preset_build shared
    labels_test shared example install
}

# The library links with each engine left out, all names resolved.
stage_engines()
{
    local engine
    for engine in IO_URING EPOLL; do
        cmake --fresh --preset shared -B "build/without-$engine" -D "CPORT_WITH_$engine=OFF" -D CPORT_TESTS=OFF
        cmake --build "build/without-$engine" -j "$jobs" --target cport
    done
}

# The conformance suite runs with assertions under the sanitizers, which are built like this otherwise.
stage_debug()
{
    preset_build debug
    labels_test debug unit example server
}

stage_asan()
{
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
    export UBSAN_OPTIONS=print_stacktrace=1
    preset_build asan
    labels_test asan unit cts example server soak
}

stage_tsan()
{
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    preset_build tsan
    # A kernel feature less is none of this sanitizer's business: the threads are the same.
    local without='^cts-uring-(no-multishot|no-bufring|minimal|shared-minimal)$'
    # The sanitizer's shadow has fixed addresses, which more bits of address randomisation than it knows can take away.
    local fixed=()
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        fixed=(setarch "$(uname -m)" -R)
    fi
    "${fixed[@]}" bash -c ". tools/dev/suite.sh; jobs=$jobs; stage=$stage; without='$without'; labels_test tsan unit cts server soak"
}

stage_clang()
{
    preset_build clang
    labels_test clang unit
}

# fuzz_one FUZZER SECONDS: from its seeds and what earlier runs have found, until it has had so many seconds of a processor: what runs
# beside it must not make the search shorter.
fuzz_one()
{
    local fuzzer=$1 left=$2 name corpus log seed=0 spent
    name=$(basename "$fuzzer")
    corpus=build/fuzz/corpus/$name
    log=build/fuzz/log/$name
    mkdir -p "$corpus" build/fuzz/found build/fuzz/log
    TIMEFORMAT='%U %S'
    while ((left > 0)); do
        seed=$((seed + 1))
        if ! spent=$({ time "$fuzzer" -artifact_prefix="build/fuzz/found/$name-" -seed="$seed" \
            -max_total_time="$left" "$corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1; } 2>&1); then
            cat "$log"
            echo "$name: FAILED"
            return 1
        fi
        echo "$name: $(tail -n 1 "$log"), processor seconds (user, system) $spent"
        left=$(awk -v left="$left" '{ spent = int($1 + $2 + 0.5); print left - (spent > 0 ? spent : 1) }' <<<"$spent")
    done
}

# fuzz_all SECONDS: as many fuzzers at a time as there are processors.
fuzz_all()
{
    local fuzzer status=0
    preset_build fuzz tests/fuzz/all # the rest is as in the preset clang
    for fuzzer in build/fuzz/tests/fuzz/fuzz_*; do
        [[ -x $fuzzer && ! -d $fuzzer ]] || continue
        while (($(jobs -pr | wc -l) >= jobs)); do
            wait -n || status=1
        done
        fuzz_one "$fuzzer" "$1" &
    done
    while (($(jobs -p | wc -l) > 0)); do
        wait -n || status=1
    done
    return "$status"
}

# The benchmark's own tests, and every peer serves a little: nothing is measured.
stage_bench()
{
    preset_build bench
    labels_test bench bench bench-smoke
}

# A minute each: longer searches are for ./dev fuzz.
stage_fuzz()
{
    fuzz_all 60
}

# Of thousands of programs Wine 8 fails to bring up one: it is over within some milliseconds and has said nothing, while each case of the
# suite begins with its name. If nothing else is wrong, such cases are started a second time, and count by that.
wine_unborn_again()
{
    local results=build/results/$stage/cts.xml failed unborn
    failed=$(grep -c '<testcase .*status="fail"' "$results")
    unborn=$(awk -v RS='</testcase>' '/status="fail"/ && /<system-out><\/system-out>/' ORS='\n;\n' "$results" | grep -c '^;$')
    echo "$failed failed, of which $unborn said nothing"
    ((failed > 0 && failed == unborn)) || return 1
    ctest --test-dir build/mingw --rerun-failed --output-on-failure --timeout 300 || return 1
    sed -i -e 's/status="fail"/status="run"/' -e '/<failure /d' -e '/<testsuite /,/>/s/failures="[0-9]*"/failures="0"/' "$results"
}

stage_wine()
{
    local status=0
    tools/mingw/setup
    preset_build mingw
    preset_build release cport-server cport-cli # the other side of a test across systems
    trap tools/mingw/stop-wine EXIT
    . tools/mingw/env.sh
    wine_environment
    wine_start
    export CPORT_WINE_STARTED=$wine_loader
    local at_once=$jobs # more would wait for the one server
    labels_test mingw unit || status=1
    labels_test mingw cts || wine_unborn_again || status=1
    labels_test mingw example server bench bench-smoke || status=1
    return "$status"
}

stage_check()
{
    # For the list of what is compiled, and how; and what is generated.
    cmake --preset debug -B build/check -D CPORT_BENCH=ON
    cmake --build build/check --target cport-bench-commit
    tools/dev/check.sh build/check "$jobs"
}

stage_docs()
{
    preset_build release
    labels_test release docs
}
