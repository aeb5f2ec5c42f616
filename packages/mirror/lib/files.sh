# Looking at many files with few processes. Names are platforms and hex digits: nothing in them needs quotes.
# shellcheck shell=sh

find_sha256() {
  for sha256_command in 'sha256sum' 'shasum -a 256' 'openssl dgst -sha256 -r'; do
    command -v "${sha256_command%% *}" >/dev/null 2>&1 || continue
    SHA256=$sha256_command
    return
  done
  die $EX_USAGE 'there is no sha256sum, shasum or openssl here: one of them is needed'
}

# shellcheck disable=SC2086 # a command and its arguments
sha256_of() { $SHA256 <"$1" | cut -c 1-64; }

# `NAME SIZE` of those files, named one a line on stdin, that are there. One lstat each; nothing is read.
sizes_in() {
  ( cd "$1" && xargs ls -lnd ) 2>/dev/null | awk '/^-/ { print $NF, $5 }'
}

# Those of the `PLATFORM HEX SIZE` lines in the file whose blob is not in place with that size.
missing_of() {
  blob_names <"$1" | sizes_in "$TARGET" >"$TMP/sizes"
  awk 'phase == 1 { size[$1] = $2; next }
    size[$1 "/blobs/sha256/" substr($2, 1, 2) "/" $2] != $3' phase=1 "$TMP/sizes" phase=2 "$1"
}

# `PLATFORM HEX …` to names in the tree.
blob_names() { awk '{ print $1 "/blobs/sha256/" substr($2, 1, 2) "/" $2 }'; }

count() { wc -l <"$1" | tr -d ' '; }

# die_writing WHAT: it could not be written, because the disk is full, or for another reason, which was told already.
die_writing() {
  if head -c 65536 /dev/zero >"$WORK/probe" 2>/dev/null; then
    rm -f "$WORK/probe"
    die $EX_FAILED "$1 cannot be written" 'once it can be, the same command goes on where it stopped'
  fi
  rm -f "$WORK/probe"
  die_full
}

die_full() {
  die $EX_DISK "no space left in $TARGET" 'free some and run the same command again: it goes on where it stopped'
}

# What is written is on disk before anything says that it is there.
flush_disk() { sync -f "$TARGET" 2>/dev/null || sync; }
