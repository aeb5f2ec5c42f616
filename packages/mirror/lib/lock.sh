# One run at a time. What a run leaves that was killed never keeps the next one out.
# shellcheck shell=sh

# flock's lock is the kernel's: it ends with the last process that has it, which is rsync's when only we were killed.
# Where there is no flock, a file with our process in it, which comes into being whole, by a hard link.
take_lock() {
  mkdir -p "$WORK" 2>/dev/null && [ -w "$WORK" ] ||
    die $EX_USAGE "$WORK cannot be written" "run it as the user that $TARGET belongs to"
  if command -v flock >/dev/null 2>&1; then
    exec 9>"$WORK/lock"
    flock -n 9 || is_locked
    return
  fi
  printf '%s %s\n' "$$" "$(boot_id)" >"$WORK/lock.$$" || die_writing "$WORK"
  if ! ln "$WORK/lock.$$" "$WORK/lock.held" 2>/dev/null; then
    ! is_lock_alive || { rm -f "$WORK/lock.$$"; is_locked; }
    note "an earlier run was killed: its lock is taken over"
    mv "$WORK/lock.held" "$WORK/lock.$$.stale" 2>/dev/null
    rm -f "$WORK/lock.$$.stale"
    ln "$WORK/lock.$$" "$WORK/lock.held" 2>/dev/null || { rm -f "$WORK/lock.$$"; is_locked; }
  fi
  rm -f "$WORK/lock.$$"
  HAS_LOCK_FILE=1
}

HAS_LOCK_FILE=0
drop_lock() { [ "$HAS_LOCK_FILE" = 0 ] || rm -f "$WORK/lock.held"; }

is_locked() {
  [ "$VERBOSE" -lt 0 ] || complain "another run is at work on $TARGET" "it goes on by itself; this one can be left out"
  exit $EX_LOCKED
}

# Process numbers start anew with the machine, so that a lock from before says nothing.
boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown; }

is_lock_alive() {
  read -r lock_pid lock_boot <"$WORK/lock.held" 2>/dev/null || return 1
  is_number "$lock_pid" && [ "$lock_boot" = "$(boot_id)" ] && kill -0 "$lock_pid" 2>/dev/null
}
