# SPDX-License-Identifier: GPL-3.0-or-later
#
# Completion of postern for fish. What there is to complete is asked of the command itself: its subcommands and options of
# --help, ids and smarthosts of the relay that runs. So it is always what that command can do.

# The relay answers at once, or completion does without.
function __postern_ask
    timeout 2 postern $argv 2>/dev/null </dev/null
end

# What of the command line names the bus.
function __postern_bus
    string match -r -- '^--bus=.+' (commandline -opc)
end

function __postern_subcommand
    string match -v -r -- '^-' (commandline -opc)[2..-1] | head -n 1
end

function __postern_ids
    __postern_ask (__postern_bus) list --ids --limit=1000
end

function __postern_remotes
    __postern_ask (__postern_bus) remotes --json | string replace -f -r '^ *"name" : "(.*)",?$' '$1'
end

function __postern_values
    switch $argv[1]
        case STATE
            printf '%s\n' queued delivering deferred held
        case BUS
            printf '%s\n' system session
        case MODE
            printf '%s\n' starttls implicit opportunistic none
        case NAME
            __postern_remotes
        case USER
            __fish_complete_users
        case FILE
            __fish_complete_path (commandline -ct | string replace -r '^--[a-z-]+=' '')
        case FOLDER
            __fish_complete_directories (commandline -ct | string replace -r '^--[a-z-]+=' '')
    end
end

# Whether the subcommand takes ids, as its usage says.
function __postern_takes_ids
    set -l subcommand (__postern_subcommand)
    test -n "$subcommand"; and __postern_ask $subcommand --help | string match -q -r '^  postern '$subcommand'.* \[?ID'
end

# The options of the subcommand, or of the command itself, each with what it does.
function __postern_options
    __postern_ask (__postern_subcommand) --help | string replace -f -r '^  (?:-[A-Za-z], )?(--[a-z][a-z-]*=?)(?:[A-Z]+)? +(.*)$' '$1\t$2'
end

# The values of the option that is being written, if it has any.
function __postern_option_values
    set -l option (commandline -ct | string match -r '^--[a-z-]+(?==)')
    test -n "$option"; or return
    set -l kind (__postern_ask (__postern_subcommand) --help | string replace -f -r '^  (?:-[A-Za-z], )?'$option'=([A-Z]+) .*$' '$1')
    for value in (__postern_values $kind[1])
        printf '%s=%s\n' $option $value
    end
end

complete -c postern -f
complete -c postern -n 'test -z (__postern_subcommand)""' -a '(__postern_ask --help | string replace -f -r "^  ([a-z]+)  +(.*)\$" "\$1\t\$2")'
complete -c postern -n 'string match -q -- "-*" (commandline -ct)' -a '(__postern_options)'
complete -c postern -n 'string match -q -- "--*=*" (commandline -ct)' -a '(__postern_option_values)'
complete -c postern -n __postern_takes_ids -a '(__postern_ids)'
