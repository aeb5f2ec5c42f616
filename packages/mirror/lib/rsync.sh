# The one way to rsync, and what its ends mean.
# shellcheck shell=sh

CHILD='' SAID=''

open_said() { [ -n "$SAID" ] || SAID=$(mktemp -d) || die $EX_DISK 'there is no room for temporary files'; }

# Runs a command so that a signal ends us and it at once: a shell waits for what runs in the foreground.
run_child() {
  "$@" &
  CHILD=$!
  wait "$CHILD"
  child_code=$?
  CHILD=''
  return "$child_code"
}

# The lock is the child's as well, so that it is waited for.
end_child() {
  [ -z "$CHILD" ] || ! kill "$CHILD" 2>/dev/null || wait "$CHILD" 2>/dev/null
}

# rsync_from ARGUMENT…: 0 when all came, 1 when something was not there; does not return when the master cannot be
# reached or the disk is full. What rsync lists is in $SAID/out, what it says in $SAID/err: not in the target, where a full
# disk would keep it from saying so.
rsync_from() {
  set -- --timeout="$TIMEOUT" --bwlimit="$BANDWIDTH_LIMIT" --no-motd --no-human-readable "$@"
  [ -z "$PASSWORD_FILE" ] || set -- --password-file="$PASSWORD_FILE" "$@"
  run_child rsync "$@" >"$SAID/out" 2>"$SAID/err"
  rsync_code=$?
  [ "$rsync_code" -ne 0 ] || return 0
  if grep -q -e 'No space left' -e 'Disk quota exceeded' "$SAID/err"; then
    die_full
  fi
  case $rsync_code in
    23 | 24 | 25) return 1 ;;
    127) die $EX_USAGE 'rsync is not installed' ;;
  esac
  die $EX_MASTER "$MASTER: $(rsync_words) [rsync ended with $rsync_code]" "$(rsync_hint "$rsync_code")"
}

# The first thing that rsync complained of; what follows is what it led to.
rsync_words() {
  grep -m 1 -e '@ERROR' "$SAID/err" || grep -m 1 -v -e '^$' "$SAID/err" || echo 'it said nothing'
}

rsync_hint() {
  case $1 in
    5) echo 'the daemon refused: is it the right module? Are too many mirrors connected?' ;;
    10 | 12 | 30 | 35) echo 'is the network up, and the master? What came stays, and the next run goes on from there' ;;
    *) echo 'the same command again goes on where this one stopped' ;;
  esac
}
