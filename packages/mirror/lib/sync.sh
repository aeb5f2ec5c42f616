# `sync`: looks at GENERATION, brings what changed, and shows the generation that it looked at.
# shellcheck shell=sh

# A master that publishes while we are at work can drop what we are about to fetch: then we look again, so many times.
MAX_ROUNDS=3

FAILED=0 HELD=0 CHANGED=0 IS_FULL=0 IS_DRY=0 ALLOW_OLDER=0 JITTER=0

sync_tree() {
  wait_a_little
  begin_work
  write_proof
  round=1
  while :; do
    AGAIN=''
    sync_round
    [ -n "$AGAIN" ] && [ "$round" -lt $MAX_ROUNDS ] || break
    note "the master has moved on meanwhile: once more"
    round=$((round + 1))
  done
  for failed_platform in $AGAIN; do
    FAILED=1
    complain "$failed_platform: the master does not hold what its own GENERATION says" 'tell the operator'
  done
  [ "$IS_DRY" = 1 ] || delete_removed
  [ "$CHANGED" = 0 ] || [ "$IS_DRY" = 1 ] || check_in_softly
  [ "$FAILED" = 0 ] || exit $EX_FAILED
  [ "$HELD" = 0 ] || exit $EX_HELD
}

# So that mirrors that start at the same minute do not come at the same second.
wait_a_little() {
  [ "$JITTER" -gt 0 ] || return 0
  sleep $(($(od -An -N2 -tu2 /dev/urandom) % (JITTER + 1))) &
  CHILD=$!
  wait "$CHILD"
  CHILD=''
}

# The folder that we work in is on the file system of the tree: what is whole gets its name by a rename.
begin_work() {
  command -v rsync >/dev/null 2>&1 || die $EX_USAGE 'rsync is not installed'
  find_sha256
  open_said
  [ -d "$TARGET" ] || die $EX_USAGE "$TARGET is not there" 'make it, and give it to the user that runs this'
  take_lock
  TMP=$WORK/tmp
  rm -rf "$TMP"
  mkdir -p "$TMP" || die_writing "$TMP"
}

# What shows the operator that this web server is ours.
write_proof() {
  proof_file=$TARGET/nearlayer-mirror.txt
  [ -n "$PROOF" ] && [ "$IS_DRY" = 0 ] || return 0
  [ "$(cat "$proof_file" 2>/dev/null)" != "$PROOF" ] || return 0
  echo "$PROOF" >"$TMP/proof" && chmod 644 "$TMP/proof" && mv -f "$TMP/proof" "$proof_file" ||
    die_writing "$proof_file"
}

sync_round() {
  rm -rf "$TMP/state" "$TMP"/*-* "$TMP/noarch"
  READY=''
  read_generations
  : >"$TMP/need"
  for sync_platform in $SHOWN; do
    look_at "$sync_platform"
  done
  [ -n "$READY" ] || return 0
  if [ "$IS_DRY" = 1 ]; then
    forecast
    return 0
  fi
  bring_blobs "$TMP/need"
  for sync_platform in $READY; do
    finish "$sync_platform"
  done
  clear_incoming
}

# Fetches the GENERATION of each platform that is wanted, and nothing else. Their names go into SHOWN.
read_generations() {
  rm -rf "$TMP/shown"
  set --
  for wanted in $PLATFORMS; do set -- "$@" --include="/$wanted/" --include="/$wanted/GENERATION"; done
  [ $# -gt 0 ] || set -- --include='/*/' --include='/*/GENERATION'
  # A GENERATION has 1 KB at most: what is larger is none. Its time is kept: two have the same size as a rule, and only by
  # their times do web servers and plain rsyncs tell them apart.
  rsync_from -rt --max-size=1024 "$@" --exclude='*' "${MASTER}zz-state/" "$TMP/shown/" || note "$(rsync_words)"
  SHOWN=''
  for shown_file in "$TMP/shown"/*/GENERATION; do
    [ -f "$shown_file" ] || continue
    shown=${shown_file%/GENERATION}
    shown=${shown##*/}
    if is_platform "$shown"; then SHOWN="$SHOWN $shown"; else warn "the master has a platform of a strange name"; fi
  done
  for wanted in $PLATFORMS; do
    case "$SHOWN " in *" $wanted "*) continue ;; esac
    FAILED=1
    complain "$wanted: the master has no such platform, or no GENERATION that could be one" "it has:${SHOWN:- none}"
  done
  [ -n "$SHOWN" ] || [ -n "$PLATFORMS" ] || die $EX_FAILED "$MASTER shows no GENERATION of any platform" \
    'has anything been published there? Is it the right module?'
}

# look_at PLATFORM: when its generation is a new one, adds what it needs to $TMP/need and the platform to READY.
look_at() {
  look_file=$TMP/shown/$1/GENERATION
  if [ "$IS_FULL" = 0 ] && is_installed "$look_file" "$1"; then
    note "$1: nothing new"
    return
  fi
  mkdir -p "$TMP/$1" && cp -p "$look_file" "$TMP/$1/GENERATION" || die_writing "$TMP"
  parse_generation "$look_file" "$1" || { refuse "$1" "its GENERATION $G_REASON"; return; }
  is_signed || { refuse "$1" 'its GENERATION is not signed by the key of the configuration'; return; }
  if [ "$ALLOW_OLDER" = 0 ] && is_older "$1"; then
    refuse "$1" "generation $G_NUMBER is older than $OLDER_THAN, which is here already" \
      'if the master was set back: nearlayer-mirror sync --allow-older'
    return
  fi
  look_number=$G_NUMBER
  if ! bring_list "$1"; then
    # Its files may have been replaced since GENERATION was read.
    if is_last_word "$1"; then refuse "$1" "$LIST_REASON"; else AGAIN="$AGAIN $1"; fi
    return
  fi
  [ "$IS_FULL" = 0 ] && cmp -s "$TARGET/zz-state/$1/GENERATION" "$WORK/state/$1/GENERATION" || : >"$TMP/$1/full"
  look_need=$TMP/$1/added
  [ ! -f "$TMP/$1/full" ] || look_need=$TMP/$1/new
  awk -v p="$1" '{ print p, $0 }' "$look_need" >>"$TMP/need" || die_writing "$TMP"
  echo "$OLD_NUMBER $look_number" >"$TMP/$1/numbers"
  READY="$READY $1"
}

refuse() {
  FAILED=1
  refuse_platform=$1 refuse_reason=$2
  shift 2
  complain "$refuse_platform: $refuse_reason: nothing of it was installed" "$@"
}

is_older() {
  [ -f "$WORK/state/$1/GENERATION" ] || return 1
  OLDER_THAN=$(sed -n 's/^number: //p' "$WORK/state/$1/GENERATION")
  is_number "$OLDER_THAN" && [ "$G_NUMBER" -lt "$OLDER_THAN" ]
}

# Does the master still show what it showed when this round began? Then what does not fit never will.
is_last_word() {
  [ "$round" -lt $MAX_ROUNDS ] || return 0
  echo "zz-state/$1/GENERATION" >"$TMP/names"
  rsync_from --no-relative --files-from="$TMP/names" --max-size=1024 "$MASTER" "$TMP/now/" || return 1
  cmp -s "$TMP/now/GENERATION" "$TMP/shown/$1/GENERATION"
}

# finish PLATFORM: with every blob in its place, the state follows; else the next round or the next run goes on.
finish() {
  awk -v p="$1" '$1 == p' "$TMP/need" >"$TMP/$1/need"
  missing_of "$TMP/$1/need" >"$TMP/$1/missing"
  read -r finish_from finish_to <"$TMP/$1/numbers"
  if [ -s "$TMP/$1/missing" ]; then
    if is_last_word "$1"; then
      refuse "$1" "$(count "$TMP/$1/missing") blobs of generation $finish_to did not come" 'the next run asks for them again'
    else
      AGAIN="$AGAIN $1"
    fi
    return
  fi
  install_state "$1" || die_writing "$TARGET/zz-state/$1"
  CHANGED=1
  tell "$1: generation $finish_from → $finish_to: $(sizes_to_people <"$TMP/$1/added") new"
}

# `HEX SIZE` lines as `3 blobs, 1.2 MB`.
sizes_to_people() {
  people=$(awk '{ bytes += $2 } END { printf "%d %.0f", NR, bytes }')
  printf '%s blobs, %s' "${people% *}" "$(bytes "${people#* }")"
}

forecast() {
  missing_of "$TMP/need" >"$TMP/missing"
  plan_blobs
  for sync_platform in $READY; do
    read -r finish_from finish_to <"$TMP/$sync_platform/numbers"
    say "$sync_platform: generation $finish_from → $finish_to," \
      "$(count "$TMP/$sync_platform/added") blobs came, $(count "$TMP/$sync_platform/removed") went"
  done
  say "to be fetched: $(cut -d ' ' -f 2- "$TMP/fetch" | sizes_to_people); to be linked: $(count "$TMP/link")"
}

# What nobody needs any more: the beginnings of blobs that were dropped meanwhile.
clear_incoming() {
  [ "$FAILED" = 1 ] || [ -n "$AGAIN" ] || rm -rf "$WORK/incoming"
}
