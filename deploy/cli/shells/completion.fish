# Completes inv, invoke and changeover in fish: `source` this file. The program gets the line up to
# the cursor, and prints whole words, one a line. Without any, files are completed.

function __changeover_complete
    set -l typed (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $typed[1])
    set -l found ($program --complete -- (commandline -cp | string collect) 2>/dev/null </dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

for program in inv invoke changeover
    complete --command $program --no-files --arguments '(__changeover_complete)'
end
