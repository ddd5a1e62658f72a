# bash completion for cport-cli; installed as share/bash-completion/completions/cport-cli. The words are those of --help
# (tests/server/completion.sh compares them).
# shellcheck shell=bash

_cport_cli()
{
    local commands='echo ping throughput ls mkdir rmdir rm upload download cat put clients stats kick log publish subscribe chat'
    local options='--host --port --timeout --user --password-file --json --help --version'
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i count=0
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --host | --port | --timeout | --user | --password-file | --count | --connections | --size | --depth | --seconds)
            i=$((i + 1)) # its value
            [[ ${COMP_WORDS[i]-} == = ]] && i=$((i + 1)) # bash divides words at =
            ;;
        --*) ;;
        *)
            command=${command:-${COMP_WORDS[i]}}
            count=$((count + 1))
            ;;
        esac
    done
    case $command in
    upload | download) options+=' --restart --verify' ;;
    subscribe) options+=' --count' ;;
    throughput) options+=' --connections --size --depth --seconds' ;;
    esac

    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
    case $before in
    --password-file)
        mapfile -t COMPREPLY < <(compgen -f -- "${word#=}")
        return
        ;;
    --host)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "${word#=}")
        return
        ;;
    --port | --timeout | --user | --count | --connections | --size | --depth | --seconds) return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif ((count == 0)); then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    elif [[ $command$count == upload1 || $command$count == download2 ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -o filenames -F _cport_cli cport-cli
