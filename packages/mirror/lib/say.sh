# What is said, where, and how a run ends. Results go to stdout, everything that is wrong to stderr.
# shellcheck shell=sh

EX_USAGE=1   # wrong use or configuration
EX_FAILED=2  # some platforms failed; each is named
EX_MASTER=3  # the master is out of reach
EX_DISK=4    # the disk is full
EX_LOCKED=5  # another run is under way
EX_HELD=6    # more was to be deleted than is allowed: all else is done

VERBOSE=0

say() { printf '%s\n' "$*"; }

# What happened, unless -q was given.
tell() { [ "$VERBOSE" -lt 0 ] || printf '%s\n' "$*"; }

# How it happened, with -v.
note() { [ "$VERBOSE" -lt 1 ] || printf '%s\n' "$*"; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# complain MESSAGE [HINT]
complain() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
}

# die CODE MESSAGE [HINT]; never in a subshell, which alone would end
die() {
  die_code=$1
  shift
  complain "$@"
  exit "$die_code"
}

# Bytes as people read them.
bytes() {
  awk -v n="$1" 'BEGIN {
    split("B kB MB GB TB", unit, " ")
    for (i = 1; n >= 999.5 && i < 5; i++) n /= 1000
    printf (i == 1 || n >= 99.95 ? "%.0f %s" : "%.1f %s"), n, unit[i]
  }'
}
