# shellcheck shell=bash
# copy.sh SOURCE PROGRAM...: the example fits a screen and a bit, and copies files of every size to the byte.
source=$1
shift
(($(wc -l <"$source") <= 80))

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder" || exit
for bytes in 0 1 262143 262144 262145 4194304 20000007; do
    head -c "$bytes" /dev/urandom >from
    "$@" from to # over what was there before, larger or not
    cmp from to
done
head -c 5 from >short
"$@" short to
cmp short to

! "$@" missing elsewhere 2>said
[[ ! -e elsewhere && $(<said) == copy:* ]]
