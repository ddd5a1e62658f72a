# shellcheck shell=bash
# topology.sh FIXTURES PROGRAM...: what cport-topology prints for machines that we do not own, and for this one.
fixtures=$1
shift
program=("$@")

# plan EXPECTED ARGUMENT...: the column of processors.
plan()
{
    local expected=$1 got
    shift
    got=$("${program[@]}" "$@" | tr -d '\r' | awk '$2 ~ /\.0$/ { printf "%s%s", sep, $5; sep = " " }')
    [[ $got == "$expected" ]] || {
        echo "cport-topology $*"
        echo "  is      $got"
        echo "  and not $expected"
        exit 1
    }
}

# refused STATUS ARGUMENT...
refused()
{
    local expected=$1 status=0
    shift
    "${program[@]}" "$@" >/dev/null 2>&1 || status=$?
    [[ $status == "$expected" ]] || {
        echo "cport-topology $*: status $status, and not $expected"
        exit 1
    }
}

# Two fast cores with two hardware threads each, four slow ones with lower numbers.
plan '8-9 10-11 0 2 4 6' "$fixtures/hybrid.xml"
plan '8 9 10 11 0 2 4 6' --unit pu "$fixtures/hybrid.xml"
plan '8 10 0 2 4 6' --one-per-core "$fixtures/hybrid.xml"
plan '8-9 10-11' --ports 2 "$fixtures/hybrid.xml"
plan '0,2,4,6,8-11' --unit l3 "$fixtures/hybrid.xml"
# Eight processors of which a cgroup allows 2 to 5, and a ninth that is offline.
plan '2 3 4 5' "$fixtures/cgroup.xml"
plan '2-3 4-5' --unit numa "$fixtures/cgroup.xml"
plan '4' --cpuset 0-1,4,8 "$fixtures/cgroup.xml"
refused 1 --cpuset 0-1,6-8 "$fixtures/cgroup.xml"
# A virtual machine with one processor, and nothing known about it.
for unit in core pu l3 numa all; do
    plan 0 --unit "$unit" "$fixtures/vm.xml"
done
plan '0 0 0' --ports 3 "$fixtures/vm.xml"

big='pack:2 [numa] l3:8 core:8 pu:2' # 128 cores
(($("${program[@]}" --synthetic "$big" | grep -c 'cport/[0-9]*\.0 ') == 128))
plan '0-127 128-255' --unit numa --synthetic "$big"
(($("${program[@]}" --synthetic "$big" --unit l3 --threads 16 | grep -c 'cport/[0-9]*\.[0-9]') == 256))

# JSON, as CMake reads it.
"${program[@]}" --json --threads 2 --name web "$fixtures/hybrid.xml" >plan.json
cat >json.cmake <<'CMAKE'
file(READ plan.json text)
string(JSON count LENGTH "${text}" ports)
string(JSON processors GET "${text}" ports 1 processors)
string(JSON kind GET "${text}" ports 1 kind)
string(JSON thread GET "${text}" ports 1 threads 1)
string(JSON unit GET "${text}" unit)
if(NOT "${count} ${processors} ${kind} ${thread} ${unit}" STREQUAL "6 10-11 1 web/1.1 core")
    message(FATAL_ERROR "${count} ${processors} ${kind} ${thread} ${unit}")
endif()
CMAKE
"$CMAKE" -P json.cmake

refused 1 "$fixtures/absent.xml"
refused 1 "$fixtures/../topology.sh"
refused 1 --synthetic 'a large one'
refused 1 --cpuset 1,,2
refused 2 --unit socket
refused 2 --ports 0
refused 2 --threads many
refused 2 --json --ports
refused 2 --colour red
refused 2 "$fixtures/vm.xml" "$fixtures/vm.xml"
refused 0 --help
refused 0 --version

# This machine, and what taskset leaves of it.
one=$("${program[@]}" --unit pu --ports 1 | tr -d '\r' | awk '$2 ~ /\.0$/ { print $5 }')
plan "$one" --unit pu --cpuset "$one"
if [[ $TASKSET ]]; then
    program=("$TASKSET" -c "$one" "${program[@]}")
    plan "$one" --unit all
fi
