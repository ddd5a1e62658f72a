# Stages: run once per state of the sources, counted, summed up in a table. Sourced by dev.
# shellcheck shell=bash
#
# A stage is a function stage_NAME. It writes JUnit files to build/results/NAME/, one per row of the table; a stage
# without any counts as one test, its exit status. Only success leaves a stamp, which holds the hash of the sources.

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

# stage_execute NAME LABEL: runs it, with its progress line; the rows go to build/results/NAME/rows.
stage_execute()
{
    local name=$1 label=$2 log=build/logs/$1.log status=0 start=$SECONDS
    rm -rf "build/results/$name" "build/stamps/$name"
    mkdir -p "build/results/$name" build/stamps build/logs
    printf '%s %-10s ' "$label" "$name"
    bash ./dev --stage "$name" >"$log" 2>&1 </dev/null || status=$?
    local seconds=$((SECONDS - start))
    stage_rows "$name" "$status" >"build/results/$name/rows"
    # A skipped test fails the stage too: what is missing here must not look like what works.
    if ((status == 0)) && ! awk '$3 > 0 { bad = 1 } END { exit bad }' "build/results/$name/rows"; then
        status=1
    fi
    echo "$seconds" >"build/results/$name/seconds"
    if ((status != 0)); then
        printf 'FAILED  %4d s  (%s)\n' "$seconds" "$log"
        # What failed may be far up among what passed.
        { grep -vE '^ *Start +[0-9]+: | +Passed +[0-9.]+ sec$' "$log" || true; } | tail -n 200 | sed 's/^/    /'
        return 1
    fi
    printf 'ok      %4d s\n' "$seconds"
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

# stages_run FORCE STAGE...
stages_run()
{
    local force=$1 hash name index=0
    shift
    hash=$(tree_hash)
    for name in "$@"; do
        index=$((index + 1))
        local label
        label=$(printf '[%2d/%d]' "$index" "$#")
        if ((!force)) && [[ -f build/stamps/$name && $(<"build/stamps/$name") == "$hash" ]]; then
            printf '%s %-10s ok      unchanged since it passed\n' "$label" "$name"
        elif stage_execute "$name" "$label"; then
            echo "$hash" >"build/stamps/$name"
        fi
    done
    suite_summary "$@"
    stages_table "$@"
}
