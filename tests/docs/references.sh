# shellcheck shell=bash
# Names in the documents exist: files that links lead to, public functions and constants, tests that hold a promise.
cd "$SOURCE" || exit
bad=0
missing()
{
    echo "$1: $2"
    bad=1
}

# The public interface; what the build, the environment and internal headers define.
defined_in=(include/cport/*.h CMakeLists.txt cmake/*.cmake */CMakeLists.txt libcport/*.[ch] libcport/*/*.[ch] tools/*.c
    tools/mingw/env.sh)
pages=(README.md CONTRIBUTING.md CHANGELOG.md docs/*.md docs/adr/*.md)
for page in "${pages[@]}"; do
    while read -r target; do
        [[ -e $(dirname "$page")/$target ]] || missing "$page" "no file $target"
    done < <(grep -oE '\]\([^)#:]+\)' "$page" | sed 's/^](//; s/)$//')
    while read -r name; do
        grep -qE "\b$name\b" "${defined_in[@]}" || missing "$page" "nothing is called $name"
    done < <(grep -oE '\b(cport_[a-z0-9_]+|CPORT_[A-Z0-9_]+[A-Z0-9])\b' "$page" | sort -u)
    while read -r name; do
        grep -rqE "\b$name\b" tests/cts tests/unit tests/server tests/workers || missing "$page" "no test is called $name"
    done < <(grep -oE '\b[sw][0-9][0-9]_[a-z0-9_]+' "$page" | sort -u)
done

# Whoever looks for a test that docs/testing.md names must find it.
while read -r name; do
    grep -rqE "\b$name\b" tests --include='*.[ch]' --include='*.def' || missing docs/testing.md "no test is called $name"
done < <(grep -E '^\|' docs/testing.md | grep -oE '`[a-z0-9]+_[a-z0-9_]+`' | tr -d '`' | sort -u)

# A promise without a case would be just a sentence.
while read -r number; do
    grep -rqE "\b${number,}_[a-z]" tests/cts || missing docs/semantics.md "no case holds $number"
done < <(grep -oE '^- \*\*S[0-9]{2}\*\*' docs/semantics.md | tr -d ' *-')
while read -r number; do
    grep -rqE "\b${number,}_[a-z]" tests/workers || missing docs/workers.md "no test holds $number"
done < <(grep -oE '^- \*\*W[0-9]{2}\*\*' docs/workers.md | tr -d ' *-')
((bad == 0))
