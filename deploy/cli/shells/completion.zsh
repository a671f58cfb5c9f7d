# Completes inv, invoke and changeover in zsh: `source` this file. The program gets the line up to
# the cursor, and prints whole words, one a line. Without any, files are completed.

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }

_changeover() {
    local program=${words[1]/#\~\//$HOME/}
    local line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX"
    local -a found
    found=("${(@f)$($program --complete -- "$line" 2>/dev/null </dev/null)}")
    found=(${found:#})
    if (( $#found )); then
        compadd -a found
    else
        _files
    fi
}

compdef _changeover inv invoke changeover
