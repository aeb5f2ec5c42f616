# Deletions come last, by name, and never more than the bound at a time.
# shellcheck shell=sh

# Up to so many files may always go.
MIN_MAX_DELETE=1000

# Writes down what went with the new generation, before that is installed: a kill in between loses none of it. After a
# comparison of everything, that is whatever has a blob's name and is in no list.
note_removed() {
  mkdir -p "$WORK/removed" || return 1
  {
    [ ! -f "$WORK/removed/$1" ] || cat "$WORK/removed/$1"
    cut -d ' ' -f 1 "$TMP/$1/removed"
    [ ! -f "$TMP/$1/full" ] || blobs_on_disk "$1"
  } | sort -u >"$TMP/$1/gone"
  awk 'phase == 1 { gone[$1]; next } { delete gone[$1] } END { for (hex in gone) print hex }' \
    phase=1 "$TMP/$1/gone" phase=2 "$TMP/$1/new" >"$TMP/$1/due" || return 1
  if [ -s "$TMP/$1/due" ]; then mv -f "$TMP/$1/due" "$WORK/removed/$1"; else rm -f "$WORK/removed/$1"; fi
}

# The names of all blobs of a platform that are on disk.
blobs_on_disk() {
  [ -d "$TARGET/$1/blobs" ] || return 0
  ( cd "$TARGET/$1/blobs" && find . -type f ) | sed -n 's|^\./sha256/[0-9a-f][0-9a-f]/\([0-9a-f]\{64\}\)$|\1|p'
}

# Deletes what is due on all platforms, or nothing when it is more than the bound: max-delete, or a tenth of the tree.
delete_removed() {
  due=0 files=0
  for due_file in "$WORK"/removed/*; do
    [ -f "$due_file" ] || continue
    due=$((due + $(count "$due_file")))
  done
  [ "$due" -gt 0 ] || return 0
  for due_file in "$TARGET"/zz-state/*/GENERATION; do
    [ ! -f "$due_file" ] || due_files=$(sed -n 's/^files: //p' "$due_file")
    ! is_number "$due_files" || files=$((files + due_files))
  done
  bound=$MAX_DELETE
  if [ -z "$bound" ]; then
    bound=$(((files + due) / 10))
    [ "$bound" -ge $MIN_MAX_DELETE ] || bound=$MIN_MAX_DELETE
  fi
  if [ "$due" -gt "$bound" ]; then
    complain "$due files are to be deleted, more than $bound: none was" \
      "if the operator did remove so much: nearlayer-mirror sync --max-delete $due"
    HELD=1
    return 0
  fi
  for due_file in "$WORK"/removed/*; do
    [ -f "$due_file" ] || continue
    awk -v p="${due_file##*/}" '{ print p, $1 }' "$due_file" | blob_names |
      ( cd "$TARGET" && xargs rm -f ) || { complain "$TARGET: not all could be deleted"; FAILED=1; return 0; }
    rm -f "$due_file"
  done
  tell "$due blobs deleted"
  CHANGED=1
}
