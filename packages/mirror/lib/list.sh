# Which blobs a generation has: the list that is here already and what changed since, or the whole list.
# shellcheck shell=sh

# How many deltas a master keeps: further back, only the list helps.
DELTAS_KEPT=100

# bring_list PLATFORM, for the generation that was just parsed: leaves in $TMP/PLATFORM/ its list (`new`), that of the
# generation that is installed (`old`), and what came and went between them (`added`, `removed`). Every list was held
# against its sha256. Fails with the reason in LIST_REASON.
bring_list() {
  list_dir=$TMP/$1 list_number=$G_NUMBER list_files=$G_FILES list_sha256=$G_SHA256
  if ! read_old_list "$1"; then
    : >"$list_dir/old"
    : >"$list_dir/full"
    OLD_NUMBER=0
  fi
  find_smallest "$1"
  if [ -s "$list_dir/deltas" ] && fetch_state "$list_dir/deltas" && apply_deltas "$1"; then
    note "$1: generation $OLD_NUMBER and $(count "$list_dir/deltas") deltas make $list_number"
  else
    rm -f "$TMP"/state/zz-state/"$1"/delta-*
    take_list "$1" || return 1
  fi
  diff_lists || { LIST_REASON='its changes could not be written down'; return 1; }
}

# The list of the generation that is installed, if it is still what it was.
read_old_list() {
  OLD_NUMBER=0
  [ -f "$TARGET/zz-state/$1/GENERATION" ] && parse_generation "$TARGET/zz-state/$1/GENERATION" "$1" || return 1
  OLD_NUMBER=$G_NUMBER
  unpack "$TARGET/zz-state/$1/list-$OLD_NUMBER.gz" "$G_FILES" >"$TMP/$1/old"
  [ "$(sha256_of "$TMP/$1/old")" = "$G_SHA256" ]
}

# unpack FILE LINES: never more than so many lines are long, whatever the file claims.
unpack() { gzip -dc "$1" 2>/dev/null | head -c $((($2 + 10) * 82)); }

# Asks for the sizes of the list and of the deltas to it, one small request. `deltas` names the deltas when none is
# missing and they are no larger than the list; else it is empty.
find_smallest() {
  delta_names "$1" "$OLD_NUMBER" "$list_number" >"$list_dir/wanted"
  { cat "$list_dir/wanted"; echo "zz-state/$1/list-$list_number.gz"; } >"$list_dir/names"
  rsync_from --list-only --ignore-missing-args --files-from="$list_dir/names" "$MASTER" "$TMP/state/" || :
  awk '/^-/ { print $NF, $2 }' "$SAID/out" >"$list_dir/offered"
  awk 'phase == 1 { size[$1] = $2; if ($1 ~ /list-/) list = $2; next }
    { if (!($1 in size)) { missing = 1; exit } sum += size[$1]; names = names $1 "\n" }
    END { if (!missing && (list == "" || sum <= list)) printf "%s", names }
  ' phase=1 "$list_dir/offered" phase=2 "$list_dir/wanted" >"$list_dir/deltas"
}

delta_names() {
  [ "$2" -gt 0 ] && [ $(($3 - $2)) -le $DELTAS_KEPT ] || return 0
  delta_from=$2
  while [ "$delta_from" -lt "$3" ]; do
    echo "zz-state/$1/delta-$delta_from-$((delta_from + 1)).gz"
    delta_from=$((delta_from + 1))
  done
}

# Brings files of the state into $TMP/state, under their names in the tree. A list line has less than 82 bytes, and hex
# digits take half of that at least: what is larger is not a list of so many.
fetch_state() {
  mkdir -p "$TMP/state" &&
    rsync_from -t --files-from="$1" --max-size=$((list_files * 82 + 1000000)) "$MASTER" "$TMP/state/"
}

# The old list and the deltas, in their order, make the new one; it counts only if its sha256 is that of GENERATION.
apply_deltas() {
  while read -r apply_name; do
    unpack "$TMP/state/$apply_name" $((list_files + 1000000))
  done <"$list_dir/deltas" >"$list_dir/delta"
  ! grep -q -v -E '^[+-][0-9a-f]{64} [0-9]{1,15}$' "$list_dir/delta" || return 1
  awk '{ net[substr($1, 2)] = substr($1, 1, 1) == "+" ? $2 : "-" }
    END { for (hex in net) print hex, net[hex] }' "$list_dir/delta" | sort >"$list_dir/net"
  awk 'phase == 1 { net[$1]; next } !($1 in net)' phase=1 "$list_dir/net" phase=2 "$list_dir/old" >"$list_dir/kept"
  grep -v -e ' -$' "$list_dir/net" | sort -m "$list_dir/kept" - >"$list_dir/new"
  is_list "$list_dir/new"
}

take_list() {
  list_name=zz-state/$1/list-$list_number.gz
  echo "$list_name" >"$list_dir/names"
  fetch_state "$list_dir/names" && [ -f "$TMP/state/$list_name" ] ||
    { LIST_REASON="its list-$list_number.gz is not there"; return 1; }
  unpack "$TMP/state/$list_name" "$list_files" >"$list_dir/new"
  is_list "$list_dir/new" && note "$1: list-$list_number, $(bytes "$(wc -c <"$TMP/state/$list_name")")" ||
    { LIST_REASON="its list-$list_number.gz is not the one that GENERATION names"; return 1; }
}

is_list() {
  [ "$(count "$1")" -eq "$list_files" ] && [ "$(sha256_of "$1")" = "$list_sha256" ] &&
    ! grep -q -v -E '^[0-9a-f]{64} [0-9]{1,15}$' "$1"
}

# `added` and `removed` hold lines of a list; a blob whose size was changed is in `added` alone. Both lists are sorted, so
# that they are read side by side, and never held in memory. (Hex digits can look like a number: "" keeps them text.)
diff_lists() {
  : >"$list_dir/added"
  : >"$list_dir/removed"
  awk -v old="$list_dir/old" -v added="$list_dir/added" -v removed="$list_dir/removed" '
    function next_old() { more = (getline line < old) > 0; hex = substr(line, 1, 64) "" }
    BEGIN { next_old() }
    { new = $1 ""
      while (more && hex < new) { print line > removed; next_old() }
      if (!more || hex != new || line != $0) print > added
      if (more && hex == new) next_old() }
    END { while (more) { print line > removed; next_old() } }' "$list_dir/new"
}
