#!/bin/sh
# A demonstration in plain words: save a real directory, change it, save it again, and bring back both.
# usage: demo.sh PROGRAM      DEMO_SOURCE=/some/directory chooses what is saved (default /usr/share)
set -eu
program=$(realpath "$1")
origin=${DEMO_SOURCE:-/usr/share}
place=$(realpath "$(mktemp -d "${TMPDIR:-/tmp}/vault-demo.XXXXXX")")
trap 'chmod -R u+rwX "$place" 2>/dev/null; rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
tree=$place/tree repository=$place/repository

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }
show() { printf '  $ %s\n' "$(printf '%s ' "$@" | sed "s|$program|vault|; s|$place|\$DEMO|g")"; "$@"; }

# Two witnesses that know nothing of vault: rsync compares content, modes, owners, times, links; diff reads everything again.
equal() {
  found=$(rsync -aHAX --checksum --dry-run --itemize-changes --delete --modify-window=-1 "$1/" "$2/")
  [ -z "$found" ] || { printf 'NOT EQUAL, says rsync:\n%s\n' "$found" | head -20; exit 1; }
  diff -r --no-dereference "$1" "$2" || { echo "NOT EQUAL, says diff"; exit 1; }
  echo "  Equal: rsync would change nothing, and diff finds no difference."
}

say "1. A directory to save: a copy of $origin, so that we may change it."
cp -a "$origin" "$tree"
printf '  %s entries, %s\n' "$(find "$tree" | wc -l)" "$(du -sh "$tree" | cut -f1)"

say "2. The first backup. The repository is a directory; it is made now. Everything is new, so the job is a full one."
show "$program" local backup "$tree" --to "$repository"

say "3. We keep a copy of the tree as it is now, and then change it: one file edited, one deleted, one renamed, one new."
cp -a "$tree" "$place/tree-before"
set -- $(find "$tree" -type f -size +1k -size -200k ! -name '* *' | sort | head -400 | awk 'NR % 120 == 1')
printf 'a line more\n' >>"$1"; rm -f "$2"; mv "$3" "$3.renamed"; mkdir "$tree/new"; date >"$tree/new/file"
printf '  edited   %s\n  deleted  %s\n  renamed  %s\n  new      %s\n' "$1" "$2" "$3" "$tree/new/file" | sed "s|$place|\$DEMO|g"

say "4. The second backup, the same command. It saves only what changed; the renamed file's content is not stored again."
show "$program" local backup "$tree" --to "$repository"

say "5. What the repository holds."
show "$program" local jobs --from "$repository"
du -sh "$repository" | sed 's/\t.*/ in all on the disk/; s/^/  /'

say "6. The tree as it is now, brought back and compared with the original."
show "$program" local restore --from "$repository" --to "$place/now"
equal "$tree" "$place/now$tree"

say "7. The tree as it was at the first job, brought back and compared with the copy we kept."
show "$program" local restore --from "$repository" --to "$place/then" --job 1
equal "$place/tree-before" "$place/then$tree"

say "Both times came back as they were. Your turn: vault local backup DIRECTORY --to REPOSITORY"
