# `init`: asks what a mirror is, and writes its configuration and its opt-in file.
# shellcheck shell=sh

I_NAME='' I_URL='' I_COUNTRY='' I_BANDWIDTH='' I_PLATFORMS='' I_CONTACT='' I_ASN='' I_NETBLOCKS='' I_PRIVATE=''
I_MASTER='' I_TARGET='' I_API='' I_VERIFIER='' I_OPTIN='' IS_FORCED=0

init() {
  if [ -e "$CONFIG" ] && [ "$IS_FORCED" = 0 ]; then
    die $EX_USAGE "$CONFIG is there already" 'edit it, or write it anew with --force: the token stays'
  fi
  ask I_MASTER --master 'rsync URL of the master' '' valid_master
  list_platforms
  ask I_TARGET --target 'folder for the blobs' /srv/containers valid_target
  ask I_NAME --name 'name of this mirror (lower-case letters, digits, dots, dashes)' '' is_name
  ask I_URL --url 'public URL of that folder' '' valid_url
  ask I_COUNTRY --country 'country, two letters' '' valid_country
  ask I_BANDWIDTH --bandwidth 'bandwidth that you give, Mbit/s' 100 valid_bandwidth
  ask I_PLATFORMS --platforms 'platforms, or all' all valid_platforms
  ask I_CONTACT --contact 'contact, for the operator (may be empty)' '' valid_contact
  ask I_ASN --asn 'number of your autonomous system (may be empty)' '' valid_asn
  ask I_NETBLOCKS --netblocks 'netblocks whose clients are nearest to you (may be empty)' '' valid_netblocks
  ask I_PRIVATE --private 'do you serve these netblocks alone?' no valid_private
  ask I_API --api 'URL of the mirror list (may be empty)' '' valid_api
  ask I_VERIFIER --verifier "the operator's verifying key (may be empty)" '' valid_verifier
  [ -z "$I_OPTIN" ] || is_source "$I_OPTIN" || die $EX_USAGE "--optin: not an rsync module: $I_OPTIN"
  [ "$I_PRIVATE" != yes ] || [ -n "$I_NETBLOCKS" ] || die $EX_USAGE '--private needs --netblocks: whom does it serve?'
  find_sha256
  write_config
  NAME=$I_NAME TARGET=${I_TARGET%/} URL=$(with_slash "$I_URL")
  say "written: $CONFIG and $(optin_file)"
  say ''
  print_snippets all "$URL" "$TARGET"
  say "Then:"
  say "  mkdir -p $TARGET                 and give it to the user that syncs"
  say "  nearlayer-mirror sync -v         the first time takes long; it can be stopped and goes on"
  say "  nearlayer-mirror opt-in          tells the operator; opt-out takes it back"
  say "  systemctl enable --now nearlayer-mirror.timer      or a line for cron:"
  say "  */5 * * * *  nearlayer-mirror sync -q --jitter 120"
}

# ask VARIABLE OPTION QUESTION DEFAULT CHECK: what was not given is asked for on a terminal, and is its default elsewhere.
ask() {
  eval "ask_value=\$$1"
  ask_tries=0
  while :; do
    if [ -z "$ask_value" ]; then
      if [ -t 0 ] && [ "$ask_tries" -lt 5 ]; then
        printf '%s%s: ' "$3" "${4:+ [$4]}"
        IFS= read -r ask_value || die $EX_USAGE 'the answers ended before the questions did'
      fi
      [ -n "$ask_value" ] || ask_value=$4
    fi
    ! "$5" "$ask_value" || break
    [ -t 0 ] && [ "$ask_tries" -lt 5 ] ||
      die $EX_USAGE "$2: ${ask_value:-nothing} will not do: $3" 'nearlayer-mirror help init shows all options'
    say "That will not do: ${ask_value:-nothing}"
    ask_tries=$((ask_tries + 1)) ask_value=''
  done
  eval "$1=\$ask_value"
}

valid_master() { is_source "$1"; }
valid_target() { is_folder "$1"; }
valid_url() { is_web "$1"; }
valid_api() { [ -z "$1" ] || is_web "$1"; }
valid_country() { case $1 in [A-Z][A-Z]) ;; *) return 1 ;; esac }
valid_bandwidth() { is_number "$1" && [ "$1" -gt 0 ] && [ "$1" -le 10000000 ]; }
valid_asn() { [ -z "$1" ] || { is_number "$1" && [ "$1" -gt 0 ] && [ "$1" -le 4294967295 ]; }; }
valid_private() { case $1 in yes | no) ;; *) return 1 ;; esac }
valid_contact() { case $1 in *[[:cntrl:]]* | *\"* | *\\*) return 1 ;; esac; [ ${#1} -le 200 ]; }
valid_netblocks() {
  case $1 in *[!0-9a-fA-F.:/,\ ]*) return 1 ;; esac
  for valid_netblock in $(printf '%s' "$1" | tr ',' ' '); do
    case $valid_netblock in ?*.*/?* | ?*:*/?*) ;; *) return 1 ;; esac
  done
}
valid_platforms() {
  [ "$1" != all ] || return 0
  for valid_platform in $(printf '%s' "$1" | tr ',' ' '); do is_platform "$valid_platform" || return 1; done
}
valid_verifier() { case $1 in '') ;; *[!A-Za-z0-9.+/=_-]* | +*) return 1 ;; ?*+????????+?*) ;; *) return 1 ;; esac }

# Shown before the questions, where the master can be asked already.
list_platforms() {
  [ -t 0 ] || return 0
  list_shown=$(rsync --timeout=10 --no-motd "$(with_slash "$I_MASTER")zz-state/" 2>/dev/null |
    awk '/^d/ && $NF != "." { printf " %s", $NF }')
  [ -z "$list_shown" ] || say "The master has:$list_shown"
}

write_config() {
  init_dir=$(dirname -- "$CONFIG")
  mkdir -p "$init_dir" && [ -w "$init_dir" ] || die $EX_USAGE "$init_dir cannot be written" 'run it as root, or name another place with --config'
  init_token=$(sed -n 's/^token: //p' "$(optin_file)" 2>/dev/null)
  is_hex64 "$init_token" || init_token=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  # shellcheck disable=SC2086 # a command and its arguments
  init_proof=$(printf '%s' "$init_token" | $SHA256 | cut -c 1-64)
  ( umask 077 && optin_yaml >"$(optin_file).new" ) && mv -f "$(optin_file).new" "$(optin_file)" &&
    config_text >"$CONFIG.new" && mv -f "$CONFIG.new" "$CONFIG" || die $EX_DISK "$init_dir: nothing can be written"
}

config_text() {
  echo "# What nearlayer-mirror works with. Lines are KEY = VALUE; nearlayer-mirror help config has them all."
  echo "master = $I_MASTER"
  echo "target = $I_TARGET"
  echo "name = $I_NAME"
  echo "platforms = $I_PLATFORMS"
  echo "# What $(with_slash "$I_URL")nearlayer-mirror.txt shows: it proves that the web server is yours."
  echo "proof = $init_proof"
  [ -z "$I_API" ] || echo "api = $I_API"
  [ -z "$I_OPTIN" ] || echo "optin = $I_OPTIN"
  [ -z "$I_VERIFIER" ] || echo "verifier = $I_VERIFIER"
}

optin_yaml() {
  echo "name: $I_NAME"
  echo "url: $(with_slash "$I_URL")"
  echo "country: $I_COUNTRY"
  echo "bandwidth: $I_BANDWIDTH"
  [ "$I_PLATFORMS" = all ] || echo "platforms: [$(yaml_list "$I_PLATFORMS")]"
  [ -z "$I_CONTACT" ] || echo "contact: \"$I_CONTACT\""
  [ -z "$I_ASN" ] || echo "asn: $I_ASN"
  [ -z "$I_NETBLOCKS" ] || echo "netblocks: [$(yaml_list "$I_NETBLOCKS" '"')]"
  [ "$I_PRIVATE" = no ] || echo "private: true"
  echo "token: $init_token"
}

# yaml_list WORDS [QUOTE]
yaml_list() { printf '%s' "$1" | tr ',' ' ' | awk -v q="${2:-}" '{ for (i = 1; i <= NF; i++) printf "%s%s%s%s", (i > 1 ? ", " : ""), q, $i, q }'; }
