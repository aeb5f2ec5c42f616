# The state of a platform takes its place once every blob of it has: the list first, GENERATION last.
# shellcheck shell=sh

# install_state PLATFORM: the generation that was read when the run began, whatever the master shows by now.
install_state() {
  install_dir=$TARGET/zz-state/$1
  parse_generation "$TMP/$1/GENERATION" "$1" && mkdir -p "$install_dir" "$WORK/state/$1" || return 1
  note_removed "$1" || return 1
  install_list=$TMP/state/zz-state/$1/list-$G_NUMBER.gz
  [ -f "$install_list" ] || { mkdir -p "${install_list%/*}" && gzip -c "$TMP/$1/new" >"$install_list"; } || return 1
  for install_file in "$install_list" "$TMP/state/zz-state/$1"/delta-*.gz; do
    [ ! -f "$install_file" ] || { chmod 644 "$install_file" && mv -f "$install_file" "$install_dir/"; } || return 1
  done
  cp -p "$TMP/$1/GENERATION" "$TMP/$1/mine" && chmod 644 "$TMP/$1/GENERATION" && flush_disk &&
    mv -f "$TMP/$1/GENERATION" "$install_dir/GENERATION" && mv -f "$TMP/$1/mine" "$WORK/state/$1/GENERATION" || return 1
  forget_old_state "$1" "$G_NUMBER"
}

# Is that generation the one that we installed, and still in its place?
is_installed() {
  cmp -s "$1" "$WORK/state/$2/GENERATION" && cmp -s "$1" "$TARGET/zz-state/$2/GENERATION"
}

# As on the master: this list and the one before it, and the newest deltas.
forget_old_state() {
  for old_file in "$TARGET/zz-state/$1"/*; do
    old_name=${old_file##*/}
    case $old_name in
      list-*.gz) old_number=${old_name#list-} old_kept=2 ;;
      delta-*-*.gz) old_number=${old_name##*-} old_kept=$DELTAS_KEPT ;;
      *) continue ;;
    esac
    old_number=${old_number%.gz}
    is_number "$old_number" || continue
    [ "$old_number" -gt $(($2 - old_kept)) ] && [ "$old_number" -le "$2" ] || rm -f "$old_file"
  done
}
