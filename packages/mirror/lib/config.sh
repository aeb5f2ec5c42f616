# The configuration: `key = value` lines, read and never run.
# shellcheck shell=sh

MASTER='' TARGET='' NAME='' PLATFORMS='' VERIFIERS='' PROOF='' API='' OPTIN='' PASSWORD_FILE=''
SIGNATURE=require MAX_DELETE='' BANDWIDTH_LIMIT=0 TIMEOUT=300

is_number() {
  case $1 in '' | *[!0-9]* | 0?* | ????????????????*) return 1 ;; esac
}

is_name() {
  case $1 in '' | [!a-z0-9]* | *[!a-z0-9.-]*) return 1 ;; esac
  [ ${#1} -le 63 ]
}

is_hex64() {
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  [ ${#1} -eq 64 ]
}

is_platform() {
  case $1 in
    noarch) return 0 ;;
    '' | -* | .* | _* | *- | *[!a-z0-9_.-]* | *..*) return 1 ;;
    *-*) [ ${#1} -le 100 ] ;;
    *) return 1 ;;
  esac
}

# An rsync daemon's module, a folder over ssh or one on this machine; nothing that a shell or rsync would read otherwise.
is_source() {
  case $1 in
    '' | -* | *[!A-Za-z0-9._/@:+=,~[\]-]* | */../* | */.. | http*://*) return 1 ;;
    rsync://?*/?* | *?::?* | ?*:/?* | /?*) return 0 ;;
    *) return 1 ;;
  esac
}

is_web() {
  case $1 in
    *[!A-Za-z0-9._/:~%[\]-]* | */../*) return 1 ;;
    http://?* | https://?*) return 0 ;;
    *) return 1 ;;
  esac
}

# A folder as an absolute path; it is always quoted, so that spaces may be in it.
is_folder() {
  case $1 in
    /*[!/]*) case $1 in *[[:cntrl:]]* | */../* | */..) return 1 ;; esac ;;
    *) return 1 ;;
  esac
}

with_slash() { case $1 in */) printf '%s' "$1" ;; *) printf '%s/' "$1" ;; esac }

read_config() {
  [ -f "$CONFIG" ] && [ -r "$CONFIG" ] ||
    die $EX_USAGE "$CONFIG cannot be read" "make one with: nearlayer-mirror init --config $CONFIG"
  config_line=0
  while IFS= read -r config_text || [ -n "$config_text" ]; do
    config_line=$((config_line + 1))
    config_text=$(printf '%s' "$config_text" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')
    case $config_text in
      '' | '#'*) continue ;;
      *=*) ;;
      *) bad_config "neither a comment nor KEY = VALUE" ;;
    esac
    config_key=$(printf '%s' "${config_text%%=*}" | sed 's/[[:space:]]*$//')
    config_value=$(printf '%s' "${config_text#*=}" | sed 's/^[[:space:]]*//')
    set_key "$config_key" "$config_value"
  done <"$CONFIG"
  [ -n "$MASTER" ] || bad_config 'master is missing'
  [ -n "$TARGET" ] || bad_config 'target is missing'
  WORK=$TARGET/.nearlayer
}

set_key() {
  case $1 in
    master) is_source "$2" || bad_config "master: not a place to pull from: $2"; MASTER=$(with_slash "$2") ;;
    target) is_folder "$2" || bad_config "target: not an absolute path: $2"; TARGET=${2%/} ;;
    name) is_name "$2" || bad_config "name: lower-case letters, digits, dots and dashes, at most 63: $2"; NAME=$2 ;;
    platforms)
      PLATFORMS=$(printf '%s' "$2" | tr ',' ' ')
      [ "$PLATFORMS" != all ] || PLATFORMS=''
      for set_platform in $PLATFORMS; do
        is_platform "$set_platform" || bad_config "platforms: $set_platform is none; they look like linux-amd64"
      done
      ;;
    verifier)
      case $2 in
        *[!A-Za-z0-9.+/=_-]* | +*) bad_config "verifier: not NAME+HASH+KEY: $2" ;;
        ?*+????????+????????????????????????????????????????????) VERIFIERS="$VERIFIERS $2" ;;
        *) bad_config "verifier: not NAME+HASH+KEY, as the operator publishes it: $2" ;;
      esac
      ;;
    signature)
      case $2 in require | try) SIGNATURE=$2 ;; *) bad_config "signature: neither require nor try: $2" ;; esac ;;
    proof) is_hex64 "$2" || bad_config 'proof: not 64 hex digits'; PROOF=$2 ;;
    api) is_web "$2" || bad_config "api: not an http or https URL: $2"; API=${2%/} ;;
    optin) is_source "$2" || bad_config "optin: not an rsync module: $2"; OPTIN=$(with_slash "$2") ;;
    password-file) is_folder "$2" || bad_config "password-file: not an absolute path: $2"; PASSWORD_FILE=$2 ;;
    max-delete) is_number "$2" || bad_config "max-delete: not a number: $2"; MAX_DELETE=$2 ;;
    bandwidth-limit) is_number "$2" || bad_config "bandwidth-limit: not a number of KiB/s: $2"; BANDWIDTH_LIMIT=$2 ;;
    timeout) is_number "$2" && [ "$2" -gt 0 ] || bad_config "timeout: not a number of seconds: $2"; TIMEOUT=$2 ;;
    *) bad_config "$1: unknown key" ;;
  esac
}

bad_config() { die $EX_USAGE "$CONFIG:$config_line: $1"; }

# Where opt-ins go, unless the configuration says so: the module of that name beside the one that is pulled.
optin_module() {
  [ -z "$OPTIN" ] || { printf '%s' "$OPTIN"; return; }
  case $MASTER in
    rsync://*) optin_host=${MASTER#rsync://}; printf 'rsync://%s/optin/' "${optin_host%%/*}" ;;
    *::*) printf '%s::optin/' "${MASTER%%::*}" ;;
  esac
}
