# `status` and `verify`: what is here, and whether it is as it should be.
# shellcheck shell=sh

status() {
  command -v rsync >/dev/null 2>&1 || die $EX_USAGE 'rsync is not installed'
  open_said
  TMP=$SAID
  say "master:  $MASTER"
  say "target:  $TARGET"
  if rsync_quietly -r --max-size=1024 --include='/*/' --include='/*/GENERATION' --exclude='*' "${MASTER}zz-state/" "$TMP/shown/"; then
    status_reached=1
  else
    status_reached=0
    warn "the master cannot be reached: $(rsync_words)"
  fi
  for status_dir in "$TARGET"/zz-state/* "$TMP"/shown/*; do
    [ -f "$status_dir/GENERATION" ] && printf '%s\n' "${status_dir##*/}"
  done | sort -u >"$TMP/platforms"
  while read -r status_platform; do
    status_here=$(shown_number "$TARGET/zz-state/$status_platform/GENERATION")
    status_line="generation ${status_here:-none} here"
    status_there=$(shown_number "$TMP/shown/$status_platform/GENERATION")
    [ "$status_reached" = 0 ] || status_line="$status_line, ${status_there:-none} at the master"
    [ -z "$status_here" ] || parse_generation "$TARGET/zz-state/$status_platform/GENERATION" "$status_platform" &&
      [ -z "$status_here" ] || status_line="$status_line; $G_FILES blobs, made $G_TIME"
    say "$status_platform: $status_line"
  done <"$TMP/platforms"
  for status_file in "$WORK"/removed/*; do
    [ ! -f "$status_file" ] || say "${status_file##*/}: $(count "$status_file") blobs are still to be deleted"
  done
  [ "$status_reached" = 1 ] || exit $EX_MASTER
}

rsync_quietly() {
  [ -z "$PASSWORD_FILE" ] || set -- --password-file="$PASSWORD_FILE" "$@"
  rsync --timeout=20 --no-motd "$@" >"$SAID/out" 2>"$SAID/err"
}

shown_number() { [ ! -f "$1" ] || sed -n 's/^number: //p' "$1"; }

IS_HASHED=0 IS_REPAIRED=0 WRONG=0

# Holds every blob against the list of the generation that is installed: is it there, has it its size, and with --hash,
# has it its bytes? With --repair, what is wrong goes and comes again.
verify() {
  begin_work
  : >"$TMP/wrong.all"
  for verify_dir in "$TARGET"/zz-state/*; do
    verify_platform=${verify_dir##*/}
    [ -f "$verify_dir/GENERATION" ] && is_platform "$verify_platform" || continue
    verify_platform "$verify_platform"
  done
  [ "$WRONG" -gt 0 ] || return 0
  if [ "$IS_REPAIRED" = 0 ]; then
    complain "$WRONG files are wrong" 'nearlayer-mirror verify --repair brings them again'
    exit $EX_FAILED
  fi
  blob_names <"$TMP/wrong.all" | ( cd "$TARGET" && xargs rm -f )
  IS_FULL=1
  drop_lock
  sync_tree
}

verify_platform() {
  mkdir -p "$TMP/$1"
  if ! read_old_list "$1"; then
    complain "$1: its list is gone or broken"
    WRONG=$((WRONG + 1))
    return
  fi
  awk -v p="$1" '{ print p, $0 }' "$TMP/$1/old" >"$TMP/$1/all"
  missing_of "$TMP/$1/all" >"$TMP/$1/wrong"
  sed 's|^\([^ ]*\) \([^ ]*\) \(.*\)|\1: \2 is missing, or has not its \3 bytes|' "$TMP/$1/wrong" >&2
  verify_read=''
  if [ "$IS_HASHED" = 1 ]; then
    # shellcheck disable=SC2086 # a command and its arguments
    blob_names <"$TMP/$1/all" | ( cd "$TARGET" && xargs $SHA256 ) 2>/dev/null |
      awk '{ hex = substr($2, length($2) - 63) } ($1 "") != (hex "") { print hex }' >"$TMP/$1/bad"
    awk 'phase == 1 { bad[$1]; next } phase == 2 { delete bad[$2]; next } $2 in bad' \
      phase=1 "$TMP/$1/bad" phase=2 "$TMP/$1/wrong" phase=3 "$TMP/$1/all" >"$TMP/$1/worse"
    sed 's|^\([^ ]*\) \([^ ]*\) .*|\1: \2 does not have the bytes that it is named for|' "$TMP/$1/worse" >&2
    cat "$TMP/$1/worse" >>"$TMP/$1/wrong"
    verify_read=', read whole'
  fi
  cat "$TMP/$1/wrong" >>"$TMP/wrong.all"
  WRONG=$((WRONG + $(count "$TMP/$1/wrong")))
  tell "$1: generation $OLD_NUMBER, $(count "$TMP/$1/all") blobs$verify_read: $(count "$TMP/$1/wrong") wrong"
}
