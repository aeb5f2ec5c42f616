# Blobs: what is missing is fetched once, held against its name, and moved into place.
# shellcheck shell=sh

# How much is fetched before it is put in its place, where a kill no longer touches it.
CHUNK_FILES=2000
CHUNK_BYTES=2000000000

# bring_blobs FILE: makes every `PLATFORM HEX SIZE` of it stand in the tree, as far as the master has it. What another
# platform has already, or gets now, is a hard link.
bring_blobs() {
  missing_of "$1" >"$TMP/missing" || die_writing "$TMP"
  [ -s "$TMP/missing" ] || return 0
  plan_blobs
  mkdir -p "$WORK/incoming"
  # What is longer than the blob is no beginning of it.
  incoming_sizes | awk 'phase == 1 { size[$2] = $3; next } $1 in size && $2 > size[$1] { print $1 }' \
    phase=1 "$TMP/fetch" phase=2 - | in_incoming xargs rm -f
  rm -f "$TMP"/chunk.*
  awk -v dir="$TMP/chunk." -v files=$CHUNK_FILES -v bytes=$CHUNK_BYTES '
    n > 0 && (n >= files || sum + $3 > bytes) { close(dir chunk + 0); chunk++; n = sum = 0 }
    { print > (dir chunk + 0); n++; sum += $3 }' "$TMP/fetch"
  chunk=0
  while [ -f "$TMP/chunk.$chunk" ]; do
    fetch_chunk "$TMP/chunk.$chunk"
    chunk=$((chunk + 1))
  done
  link_blobs
}

# `fetch` gets `PLATFORM HEX SIZE`, each blob once; `link` gets `SOURCE-PLATFORM PLATFORM HEX`.
plan_blobs() {
  for plan_dir in "$TARGET"/*/blobs; do
    [ -d "$plan_dir" ] || continue
    plan_platform=${plan_dir%/blobs}
    plan_platform=${plan_platform##*/}
    awk -v p="$plan_platform" '{ print p, $2 }' "$TMP/missing"
  done | blob_names | sizes_in "$TARGET" >"$TMP/elsewhere"
  : >"$TMP/fetch"
  : >"$TMP/link"
  awk -v fetch="$TMP/fetch" -v link="$TMP/link" '
    phase == 1 { split($1, part, "/"); at[part[5] " " $2] = part[1]; next }
    { blob = $2 " " $3 }
    blob in at { print at[blob], $1, $2 > link; next }
    { at[blob] = $1; print > fetch }' phase=1 "$TMP/elsewhere" phase=2 "$TMP/missing" ||
    die_writing "$TMP"
}

in_incoming() { ( cd "$WORK/incoming" && "$@" ); }
incoming_sizes() { in_incoming ls -ln | awk '/^-/ { print $NF, $5 }'; }

# fetch_chunk FILE. A file in incoming/ has its blob's name and only ever grows, so that a transfer that broke off, even by
# kill -9, goes on where it stopped; its sha256 then tells whether it is right.
fetch_chunk() {
  for attempt in 1 2; do
    incoming_sizes >"$TMP/sizes"
    awk 'phase == 1 { size[$1] = $2; next } size[$2] != $3' phase=1 "$TMP/sizes" phase=2 "$1" >"$TMP/unfinished"
    if [ -s "$TMP/unfinished" ]; then
      blob_names <"$TMP/unfinished" >"$TMP/names"
      note "$(count "$TMP/names") blobs are fetched"
      rsync_from -pt --inplace --append --no-relative --files-from="$TMP/names" "$MASTER" "$WORK/incoming/" ||
        note "$(rsync_words)"
    fi
    place_chunk "$1"
    [ -s "$TMP/wrong" ] || return 0
    # The beginning of a transfer that broke off can have been spoilt: once more, from the start.
    note "$(count "$TMP/wrong") blobs did not have the bytes that they are named for, attempt $attempt"
    awk 'phase == 1 { wrong[$1]; next } $2 in wrong' phase=1 "$TMP/wrong" phase=2 "$1" >"$TMP/again"
    mv -f "$TMP/again" "$1"
  done
  while read -r wrong_hex; do
    complain "the master has wrong bytes under the name $wrong_hex: they are not taken" "tell the operator"
  done <"$TMP/wrong"
}

# Moves what is whole and right into place; names what has the right length and the wrong bytes in $TMP/wrong.
place_chunk() {
  incoming_sizes >"$TMP/sizes"
  awk 'phase == 1 { size[$1] = $2; next } size[$2] == $3' phase=1 "$TMP/sizes" phase=2 "$1" >"$TMP/whole"
  : >"$TMP/wrong"
  [ -s "$TMP/whole" ] || return 0
  # shellcheck disable=SC2086 # a command and its arguments
  awk '{ print $2 }' "$TMP/whole" | in_incoming xargs $SHA256 >"$TMP/hashes"
  awk '{ sub(/^\*/, "", $2) } ($1 "") == ($2 "") { print $2 }' "$TMP/hashes" >"$TMP/right"
  awk 'phase == 1 { right[$1]; next } !($2 in right) { print $2 }' \
    phase=1 "$TMP/right" phase=2 "$TMP/whole" >"$TMP/wrong"
  in_incoming xargs rm -f <"$TMP/wrong"
  awk 'phase == 1 { right[$1]; next } $2 in right { print $1 "/blobs/sha256/" substr($2, 1, 2), $2 }' \
    phase=1 "$TMP/right" phase=2 "$TMP/whole" | sort >"$TMP/moves"
  for_each_folder "$TMP/moves" move_into
}

move_into() {
  move_to=$TARGET/$1
  shift
  in_incoming mv -f "$@" "$move_to/" || die_writing "$move_to"
}

link_blobs() {
  awk '{ ab = "/blobs/sha256/" substr($3, 1, 2); print $1 ab ":" $2 ab, $3 }' "$TMP/link" | sort >"$TMP/moves"
  for_each_folder "$TMP/moves" link_into
}

# A file can have no more links than its file system allows (65,000 on ext4), and some have none: then it is a copy.
link_into() {
  link_from=$TARGET/${1%%:*} link_to=$TARGET/${1#*:}
  shift
  ( cd "$link_from" && ln -f "$@" "$link_to/" ) 2>/dev/null && return
  for link_hex in "$@"; do
    [ -f "$link_from/$link_hex" ] || continue
    ln -f "$link_from/$link_hex" "$link_to/" 2>/dev/null && continue
    cp -p "$link_from/$link_hex" "$WORK/incoming/$link_hex" && mv -f "$WORK/incoming/$link_hex" "$link_to/" ||
      die_writing "$link_to"
  done
}

# for_each_folder FILE COMMAND: calls it with a folder and all names that the sorted `FOLDER NAME` lines have for it.
for_each_folder() {
  folder_file=$1 folder_command=$2 folder=''
  set --
  while read -r folder_next folder_name; do
    if [ "$folder_next" != "$folder" ]; then
      [ $# -eq 0 ] || "$folder_command" "$folder" "$@"
      set --
      folder=$folder_next
      [ -d "$TARGET/${folder#*:}" ] || mkdir -p "$TARGET/${folder#*:}" || die_writing "$TARGET"
    fi
    set -- "$@" "$folder_name"
  done <"$folder_file"
  [ $# -eq 0 ] || "$folder_command" "$folder" "$@"
}
