# SPDX-License-Identifier: GPL-3.0-or-later
#
# Completion of postern for bash. What there is to complete is asked of the command itself: its subcommands and options of
# --help, ids and smarthosts of the relay that runs. So it is always what that command can do.

# The relay answers at once, or completion does without.
_postern_ask()
{
    timeout 2 "$@" 2>/dev/null </dev/null
}

# "-s --state STATE" for each option in a help text; options without a short form have "-" there.
_postern_options()
{
    sed -nE 's/^  (-([A-Za-z]), )?--([a-z][a-z-]*)(=([A-Z]+))? .*/-\2 --\3 \5/p'
}

_postern()
{
    local command=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local subcommand='' bus=() given='' i word help short long value kind=''
    COMPREPLY=()

    # bash makes words of "--bus", "=" and "system".
    if [[ $cur == = ]]; then
        given=$prev cur=
    elif [[ $prev == = ]]; then
        given=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $prev == -* ]]; then
        given=$prev
    fi

    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --bus)
            [[ ${COMP_WORDS[i + 1]} != = ]] || i=$((i + 1))
            i=$((i + 1))
            [[ $i -ge $COMP_CWORD ]] || bus=(--bus="${COMP_WORDS[i]}")
            ;;
        -* | =) ;;
        *)
            [[ -n $subcommand || ${COMP_WORDS[i - 1]} == = ]] || subcommand=$word
            ;;
        esac
    done

    help=$(_postern_ask "$command" ${subcommand:+"$subcommand"} --help) || return 0

    if [[ -n $given ]]; then
        while read -r short long value; do
            [[ -n $value && ($given == "$short" || $given == "$long") ]] && kind=$value
        done < <(_postern_options <<<"$help")
    fi

    case $kind in
    '') ;;
    STATE)
        mapfile -t COMPREPLY < <(compgen -W 'queued delivering deferred held' -- "$cur")
        return
        ;;
    BUS)
        mapfile -t COMPREPLY < <(compgen -W 'system session' -- "$cur")
        return
        ;;
    MODE)
        mapfile -t COMPREPLY < <(compgen -W 'starttls implicit opportunistic none' -- "$cur")
        return
        ;;
    NAME)
        mapfile -t COMPREPLY < <(compgen -W "$(_postern_ask "$command" "${bus[@]}" remotes --json |
            sed -nE 's/^ *"name" : "(.*)",?$/\1/p')" -- "$cur")
        return
        ;;
    USER)
        mapfile -t COMPREPLY < <(compgen -u -- "$cur")
        return
        ;;
    FILE)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    FOLDER)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    *)
        return
        ;;
    esac

    if [[ $cur == -* ]]; then
        while read -r short long value; do
            [[ $long != "$cur"* ]] || COMPREPLY+=("$long${value:+=}")
        done < <(_postern_options <<<"$help")
        [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
        return
    fi

    if [[ -z $subcommand ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sed -nE '/^Subcommands/,/^$/s/^  ([a-z]+) .*/\1/p' <<<"$help")" -- "$cur")
    elif [[ $(sed -n 2p <<<"$help") == *ID* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_postern_ask "$command" "${bus[@]}" list --ids --limit=1000)" -- "$cur")
    fi
}

complete -F _postern postern
