# Completes inv, invoke and changeover in bash: `source` this file. The program gets the line up to
# the cursor, and prints whole words, one a line. Without any, files are completed.

_changeover() {
    local program=${1/#\~\//$HOME/} line=${COMP_LINE:0:COMP_POINT} typed=$2
    local raw head candidate rest found=()
    while IFS= read -r candidate; do
        found+=("$candidate")
    done < <("$program" --complete -- "$line" 2>/dev/null </dev/null)
    COMPREPLY=()
    [ "${#found[@]}" -gt 0 ] || return
    compopt +o default 2>/dev/null # bash 3.2 does not know it, and then shows files for no match

    # bash breaks words at `=` and `:` too, and replaces what comes after the last of them.
    raw=${line##*[[:space:]]}
    head=${raw%"$typed"}
    head=${head//[\"\']/}
    typed=${typed//[\\\"\']/}
    for candidate in "${found[@]}"; do
        [[ $candidate == "$head$typed"* ]] || continue
        rest=${candidate#"$head"}
        # In an open quote, and without odd characters, a name is typed as it is.
        [[ $raw == *[\"\']* || $rest =~ ^[A-Za-z0-9_.,:=@%/+-]*$ ]] || printf -v rest %q "$rest"
        COMPREPLY+=("$rest")
    done
}

complete -o default -F _changeover inv invoke changeover
