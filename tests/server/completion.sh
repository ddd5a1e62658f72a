# shellcheck shell=bash
# completion.sh CLIENT SCRIPT: the completion for bash offers what cport-cli has, no more and no less, and where it belongs.
client=$1 script=$2
# shellcheck source=../../packaging/cport-cli.bash
. "$script"

fail()
{
    echo "completion.sh: line ${BASH_LINENO[0]}: $*"
    exit 1
}

# offers WORD...: what is offered for the last word, sorted.
offers()
{
    COMP_WORDS=(cport-cli "$@")
    COMP_CWORD=$#
    _cport_cli
    printf '%s\n' "${COMPREPLY[@]}" | sort
}
# expect WHAT WORD...
expect()
{
    local wanted=$1 got
    shift
    got=$(offers "$@" | tr '\n' ' ')
    [[ ${got% } == "$wanted" ]] || fail "$* offers $got"
}

help=$("$client" --help)
commands=$(sed -nE 's/^  ([a-z]+) .*/\1/p' <<<"$help" | sort)
options=$(sed -nE 's/^  (--[a-z-]+).*/\1/p' <<<"$help" | sort)
[[ $(offers '') == "$commands" ]] || fail 'other commands than those of --help'
[[ $(offers --) == "$options" ]] || fail 'other options than those of --help'
for command in $commands; do
    own=$("$client" "$command" --help | sed -nE 's/^  (--[a-z-]+).*/\1/p')
    [[ $(offers "$command" --) == $(printf '%s\n' $options $own | sort) ]] || fail "other options of $command than its --help says"
    # An option with a value is not taken for a command.
    for option in $own; do
        "$client" "$command" --help | grep -qE "^  $option [A-Z]" || continue
        expect '' "$command" "$option" ''
    done
done
expect ping --port 1 pi
expect ping --port = 1 pi
expect '' --port ''
expect '' ping ''
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
touch "$folder/a file"
expect "$folder/a file" upload "$folder/"
expect "$folder/a file" download name "$folder/"
expect "$folder/a file" --password-file "$folder/"
expect '' download "$folder/"
