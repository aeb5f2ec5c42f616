# Joining and leaving the network, and asking to be looked at: uploads to the master, or its API.
# shellcheck shell=sh

# The opt-in file lies beside the configuration; it holds the token, so that only its owner reads it.
optin_file() { printf '%s/mirror.yaml' "$(dirname -- "$CONFIG")"; }

# upload FILE NAME: the master takes the name that a file has here.
upload() {
  upload_to=$(optin_module)
  [ -n "$upload_to" ] || die $EX_USAGE "$CONFIG: optin is missing: where does the operator take opt-ins?"
  upload_dir=$(mktemp -d) || die $EX_DISK 'there is no room for temporary files'
  cp "$1" "$upload_dir/$2" && rsync --timeout=60 --no-motd "$upload_dir/$2" "$upload_to" 2>"$upload_dir/err"
  upload_code=$?
  upload_words=$(head -n 1 "$upload_dir/err")
  rm -rf "$upload_dir"
  return "$upload_code"
}

require_optin() {
  [ -n "$NAME" ] || die $EX_USAGE "$CONFIG: name is missing" 'nearlayer-mirror init asks for it'
  [ -r "$(optin_file)" ] ||
    die $EX_USAGE "$(optin_file) cannot be read" 'nearlayer-mirror init makes it; only its owner may read it'
}

opt_in() {
  require_optin
  upload "$(optin_file)" "$NAME.yaml" || die $EX_MASTER "$(optin_module): $upload_words [rsync ended with $upload_code]"
  say "$NAME has opted in. The operator's mirror list now looks for nearlayer-mirror.txt at your URL, then checks what is there."
  [ -z "$API" ] || say "How it goes: $API/api/mirrors/$NAME"
}

opt_out() {
  require_optin
  leave=$(mktemp) || die $EX_DISK 'there is no room for temporary files'
  { sed -n '/^name: /p; /^token: /p' "$(optin_file)"; echo 'optOut: true'; } >"$leave"
  upload "$leave" "$NAME.yaml"
  rm -f "$leave"
  [ "$upload_code" -eq 0 ] || die $EX_MASTER "$(optin_module): $upload_words [rsync ended with $upload_code]"
  say "$NAME has opted out: no more clients are sent here. Thank you for the bandwidth."
  say 'Stop the timer or the cron line too; the files are yours to remove.'
}

# Fails without a word; the caller knows how much it matters.
check_in() {
  [ -n "$NAME" ] || return 0
  check_in_url=$API/api/mirrors/$NAME/check-in
  if [ -n "$API" ] && command -v curl >/dev/null 2>&1; then
    curl -fsS -m 20 -o /dev/null -X POST "$check_in_url" 2>/dev/null && return 0
  elif [ -n "$API" ] && command -v wget >/dev/null 2>&1; then
    wget -q -T 20 -O /dev/null --post-data='' "$check_in_url" 2>/dev/null && return 0
  fi
  [ -n "$(optin_module)" ] || return 1
  upload /dev/null "$NAME.checkin"
}

check_in_softly() { check_in || warn 'the check-in did not get through: the next probe finds out anyway'; }
