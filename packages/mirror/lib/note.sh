# GENERATION: what a platform holds, signed as a note (https://c2sp.org/signed-note).
# shellcheck shell=sh

# parse_generation FILE PLATFORM: sets G_NUMBER, G_TIME, G_FILES and G_SHA256, leaves the signed text in $TMP/text and the
# signatures in $TMP/signatures. Fails with the reason in G_REASON.
parse_generation() {
  G_REASON=''
  [ "$(wc -c <"$1")" -le 1024 ] || { G_REASON='is larger than 1 KB'; return 1; }
  # The text holds no empty line, so that the only one is where it ends.
  [ "$(grep -c '^$' "$1")" -le 1 ] || { G_REASON='has more than one part below its text'; return 1; }
  sed '/^$/,$d' "$1" >"$TMP/text" && sed '1,/^$/d' "$1" >"$TMP/signatures" ||
    { G_REASON='could not be written down'; return 1; }
  [ "$(head -n 1 "$TMP/text")" = 'nearlayer generation 1' ] || { G_REASON='is of no format that is known here'; return 1; }
  [ "$(field platform)" = "$2" ] || { G_REASON='is of another platform'; return 1; }
  G_NUMBER=$(field number) G_FILES=$(field files) G_SHA256=$(field list-sha256) G_TIME=$(field time)
  is_number "$G_NUMBER" && [ "$G_NUMBER" -gt 0 ] || { G_REASON='has no number'; return 1; }
  is_number "$G_FILES" || { G_REASON='has no number of files'; return 1; }
  is_hex64 "$G_SHA256" || { G_REASON='has no sha256 of a list'; return 1; }
  case $G_TIME in
    [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z) ;;
    *) G_REASON='has no time'; return 1 ;;
  esac
}

field() { sed -n "s/^$1: //p" "$TMP/text" | tail -n 1; }

can_verify() { command -v openssl >/dev/null 2>&1 && openssl pkeyutl -help 2>&1 | grep -q -e -rawin; }

# Is one of the signatures of the note that was just parsed by one of the configured keys? All are, where none is configured.
is_signed() {
  [ -n "$VERIFIERS" ] || return 0
  if ! can_verify; then
    [ "$SIGNATURE" = try ] || die $EX_USAGE 'signatures cannot be checked: there is no openssl 3 here' \
      "install it, or write 'signature = try' into $CONFIG: lists are then held against their sha256 alone"
    note 'signatures are not checked: there is no openssl 3 here'
    return 0
  fi
  for signed_verifier in $VERIFIERS; do
    ! is_signed_by "$signed_verifier" || return 0
  done
  return 1
}

# The key is `NAME+HASH+BASE64(1, KEY)`, a signature a line `— NAME BASE64(HASH, SIGNATURE)`.
is_signed_by() {
  signed_name=${1%%+*}
  signed_rest=${1#*+}
  signed_hash=${signed_rest%%+*}
  printf '%s' "${signed_rest#*+}" | openssl base64 -d -A >"$TMP/key" 2>/dev/null
  signed_own=$({ printf '%s\n' "$signed_name"; cat "$TMP/key"; } | $SHA256 | cut -c 1-8)
  [ "$(wc -c <"$TMP/key")" -eq 33 ] && [ "$signed_own" = "$signed_hash" ] ||
    die $EX_USAGE "$CONFIG: verifier: the key of $signed_name has been changed on its way: $1"
  # The beginning of an Ed25519 key in DER (RFC 8410, section 4).
  { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; tail -c 32 "$TMP/key"; } >"$TMP/key.der"
  while read -r signed_mark signed_by signed_base64 signed_more; do
    [ "$signed_mark" = '—' ] && [ "$signed_by" = "$signed_name" ] && [ -z "$signed_more" ] || continue
    printf '%s' "$signed_base64" | openssl base64 -d -A >"$TMP/signature" 2>/dev/null
    [ "$(wc -c <"$TMP/signature")" -eq 68 ] || continue
    [ "$(head -c 4 "$TMP/signature" | od -An -tx1 | tr -d ' \n')" = "$signed_hash" ] || continue
    tail -c 64 "$TMP/signature" >"$TMP/signature.raw"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$TMP/key.der" -rawin -in "$TMP/text" \
      -sigfile "$TMP/signature.raw" >/dev/null 2>&1 && return 0
  done <"$TMP/signatures"
  return 1
}
