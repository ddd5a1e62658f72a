# Stages: run once per state of the sources, counted, summed up in a table. Sourced by dev.
# shellcheck shell=bash
#
# A stage is a function stage_NAME. It writes JUnit files to build/results/NAME/, one per row of the table; a stage
# without any counts as one test, its exit status. Only success leaves a stamp, which holds the hash of the sources.
#
# Stages run in two lanes at a time, each in its order. While a stage runs there is a file build/running/NAME.

# files_list: every file of the project, tracked or new, NUL-separated. A tree without usable git is listed as it is.
files_list()
{
    git ls-files -z --cached --others --exclude-standard 2>/dev/null ||
        find . \( -path ./build -o -path ./.cache -o -path ./.git \) -prune -o -type f -printf '%P\0'
}

# sources_list: the C sources and headers among them.
sources_list()
{
    files_list | grep -zE '\.[ch]$' | while IFS= read -r -d '' file; do
        [[ ! -f $file ]] || printf '%s\0' "$file"
    done
}

# tree_hash: the sources' content, and the machine and compilers that their tests ran with.
tree_hash()
{
    {
        files_list | sort -z | while IFS= read -r -d '' file; do
            [[ ! -f $file ]] || printf '%s\0' "$file"
        done | xargs -0 sha256sum
        uname -srm
        cc --version 2>/dev/null || true
        clang --version 2>/dev/null || true
    } | sha256sum | cut -d ' ' -f 1
}

# junit_attribute FILE NAME: an attribute of the first <testsuite>.
junit_attribute()
{
    tr '\n\t' '  ' <"$1" | sed -nE "s/.*<testsuite[^>]* $2=\"([0-9]+)\".*/\1/p"
}

# stage_rows NAME STATUS: prints "row passed failed" for each result of the stage.
stage_rows()
{
    local name=$1 status=$2 file tests failed rows=0 failed_sum=0
    for file in build/results/"$name"/*.xml; do
        [[ -f $file ]] || continue
        tests=$(junit_attribute "$file" tests)
        failed=$(($(junit_attribute "$file" failures) + $(junit_attribute "$file" skipped) +
            $(junit_attribute "$file" disabled)))
        ((tests > 0)) || failed=1 # a suite that has gone missing
        ((tests > 0)) || tests=1
        echo "$name/$(basename "$file" .xml) $((tests - failed)) $failed"
        rows=$((rows + 1))
        failed_sum=$((failed_sum + failed))
    done
    if ((status == 0 && rows == 0)); then
        echo "$name 1 0"
    elif ((status != 0 && failed_sum == 0)); then
        echo "$name 0 1" # it broke outside the tests: a build that failed, or no tests at all
    fi
}

# say FORMAT ARGUMENT...: whole lines, though the other lane speaks too.
say()
{
    # shellcheck disable=SC2059
    { flock 9 && printf "$@"; } 9>build/running/.output
}

# stage_execute NAME LABEL: runs it; the rows go to build/results/NAME/rows.
stage_execute()
{
    local name=$1 label=$2 log=build/logs/$1.log status=0 start=$SECONDS used TIMEFORMAT='%U %S'
    rm -rf "build/results/$name" "build/stamps/$name"
    mkdir -p "build/results/$name" build/stamps build/logs
    : >"$log"
    touch "build/running/$name"
    say '%s %-10s begins\n' "$label" "$name"
    used=$({ time bash ./dev --stage "$name" >"$log" 2>&1 </dev/null; } 2>&1) || status=$?
    used=$(awk '{ printf "%d", $1 + $2 }' <<<"$used")
    rm -f "build/running/$name"
    local seconds=$((SECONDS - start))
    stage_rows "$name" "$status" >"build/results/$name/rows"
    # A skipped test fails the stage too: what is missing here must not look like what works.
    if ((status == 0)) && ! awk '$3 > 0 { bad = 1 } END { exit bad }' "build/results/$name/rows"; then
        status=1
    fi
    echo "$seconds" >"build/results/$name/seconds"
    if ((status != 0)); then
        # What failed may be far up among what passed.
        say '%s %-10s FAILED  %4d s, %d s of processors  (%s)\n%s\n' "$label" "$name" "$seconds" "$used" "$log" "$(
            { grep -vE '^ *Start +[0-9]+: | +Passed +[0-9.]+ sec$' "$log" || true; } | tail -n 200 | sed 's/^/    /'
        )"
        return 1
    fi
    say '%s %-10s ok      %4d s, %d s of processors\n' "$label" "$name" "$seconds" "$used"
}

# stage_progress NAME: how far its build is, or its tests are; or which of its parts was the last to end.
stage_progress()
{
    tail -c 4000 "build/logs/$1.log" | sed -nE 's|^\[([0-9]+/[0-9]+)\].*|building \1|p
        s|^ *([0-9]+/[0-9]+) Test.*|testing \1|p
        s|^([a-z_]+): .*|(\1 is done)|p' | tail -n 1
}

# stages_watch: a line about what runs, now and then, for whoever looks on.
stages_watch()
{
    local name progress line
    while sleep 20; do
        line=''
        for name in build/running/*; do
            [[ -f $name ]] || continue
            name=$(basename "$name")
            progress=$(stage_progress "$name")
            line+="${line:+, }$name${progress:+ $progress}"
        done
        say '        %4d s  %s\n' "$SECONDS" "$line"
    done
}

# stages_table STAGE...: the verdict; its last line stands alone for machines to read.
stages_table()
{
    local name row passed failed seconds passed_sum=0 failed_sum=0
    printf '\n%-24s %8s %8s %8s\n' stage passed failed seconds
    for name in "$@"; do
        seconds=$(<"build/results/$name/seconds") # of the whole stage, beside its first row
        while read -r row passed failed; do
            printf '%-24s %8d %8d %8s\n' "$row" "$passed" "$failed" "$seconds"
            passed_sum=$((passed_sum + passed))
            failed_sum=$((failed_sum + failed))
            seconds=''
        done <"build/results/$name/rows"
    done
    printf '\n%d passed, %d failed\n' "$passed_sum" "$failed_sum"
    ((failed_sum == 0))
}

# stages_lane FORCE HASH LABEL:STAGE...: one after the other.
stages_lane()
{
    local force=$1 hash=$2 item name label
    shift 2
    for item in "$@"; do
        label=${item%:*}
        name=${item#*:}
        if ((!force)) && [[ -f build/stamps/$name && $(<"build/stamps/$name") == "$hash" ]]; then
            say '%s %-10s ok      unchanged since it passed\n' "$label" "$name"
        elif stage_execute "$name" "$label"; then
            echo "$hash" >"build/stamps/$name"
        fi
    done
}

# stages_run FORCE STAGE...: those of suite_beside beside the others.
stages_run()
{
    local force=$1 hash name item main=() beside=() pids=()
    shift
    hash=$(tree_hash)
    rm -rf build/running
    mkdir -p build/running
    for name in "$@"; do
        item=$(printf '[%2d/%d]:%s' "$((${#main[@]} + ${#beside[@]} + 1))" "$#" "$name")
        # shellcheck disable=SC2154
        if [[ " ${suite_beside[*]} " == *" $name "* ]]; then
            beside+=("$item")
        else
            main+=("$item")
        fi
    done
    # Each lane is a process group of its own, so that an interrupt ends it with all that it has started.
    set -m
    stages_lane "$force" "$hash" "${main[@]}" &
    pids+=("$!")
    stages_lane "$force" "$hash" "${beside[@]}" &
    pids+=("$!")
    stages_watch &
    local watch=$!
    set +m
    # shellcheck disable=SC2064
    trap "kill -- ${pids[*]/#/-} -$watch 2>/dev/null; exit 130" INT TERM HUP
    wait "${pids[@]}" || true
    kill -- "-$watch"
    trap - INT TERM HUP
    suite_summary "$@"
    stages_table "$@"
}
