# The command line.
# shellcheck shell=sh

on_exit() {
  exit_code=$?
  leave
  exit "$exit_code"
}

on_signal() {
  trap - EXIT
  end_child
  leave
  exit "$1"
}

leave() {
  [ -z "$SAID" ] || rm -rf "$SAID"
  drop_lock
}

main() {
  CONFIG=${NEARLAYER_MIRROR_CONFIG:-/etc/nearlayer-mirror/nearlayer-mirror.conf}
  COMMAND='' ARGUMENT='' MAX_DELETE_NOW=''
  read_arguments "$@"
  trap on_exit EXIT
  trap 'on_signal 130' INT
  trap 'on_signal 143' TERM HUP
  case $COMMAND in
    '') help_all; exit $EX_USAGE ;;
    help) help "$ARGUMENT"; exit 0 ;;
    init) init; exit 0 ;;
  esac
  read_config
  MAX_DELETE=${MAX_DELETE_NOW:-$MAX_DELETE}
  case $COMMAND in
    sync) sync_tree ;;
    opt-in) opt_in ;;
    opt-out) opt_out ;;
    check-in)
      [ -n "$NAME" ] || die $EX_USAGE "$CONFIG: name is missing"
      check_in || die $EX_MASTER 'the check-in did not get through'
      ;;
    status) status ;;
    verify) verify ;;
    snippet) snippet ;;
  esac
}

# Options may stand before and after the command.
read_arguments() {
  while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
      --*=*)
        set -- "${option#*=}" "$@"
        option=${option%%=*}
        ;;
    esac
    case $option in
      --config | --jitter | --max-delete | --master | --target | --name | --url | --country | --bandwidth | --platforms | \
        --contact | --asn | --netblocks | --api | --verifier | --optin)
        [ $# -gt 0 ] || die $EX_USAGE "$option: its value is missing"
        set_option "$option" "$1"
        shift
        ;;
      -*) set_flag "$option" ;;
      sync | init | opt-in | opt-out | check-in | status | verify | snippet | help)
        if [ -z "$COMMAND" ]; then COMMAND=$option; else set_argument "$option"; fi
        ;;
      *) set_argument "$option" ;;
    esac
  done
}

set_argument() {
  case $COMMAND in
    help | snippet) ARGUMENT=$1 ;;
    *) die $EX_USAGE "what is $1?" 'nearlayer-mirror --help shows the commands' ;;
  esac
}

set_option() {
  case $1 in
    --config) CONFIG=$2 ;;
    --jitter) is_number "$2" && [ "$2" -le 86400 ] || die $EX_USAGE "--jitter: not a number of seconds: $2"; JITTER=$2 ;;
    --max-delete) is_number "$2" || die $EX_USAGE "--max-delete: not a number of files: $2"; MAX_DELETE_NOW=$2 ;;
    --master) I_MASTER=$2 ;;
    --target) I_TARGET=$2 ;;
    --name) I_NAME=$2 ;;
    --url) I_URL=$2 ;;
    --country) I_COUNTRY=$2 ;;
    --bandwidth) I_BANDWIDTH=$2 ;;
    --platforms) I_PLATFORMS=$2 ;;
    --contact) I_CONTACT=$2 ;;
    --asn) I_ASN=$2 ;;
    --netblocks) I_NETBLOCKS=$2 ;;
    --api) I_API=$2 ;;
    --verifier) I_VERIFIER=$2 ;;
    --optin) I_OPTIN=$2 ;;
  esac
}

set_flag() {
  case $1 in
    -q | --quiet) VERBOSE=-1 ;;
    -v | --verbose) VERBOSE=1 ;;
    --full) IS_FULL=1 ;;
    --dry-run) IS_DRY=1 ;;
    --allow-older) ALLOW_OLDER=1 ;;
    --hash) IS_HASHED=1 ;;
    --repair) IS_REPAIRED=1 ;;
    --private) I_PRIVATE=yes ;;
    --force) IS_FORCED=1 ;;
    -h | --help) help "$COMMAND"; exit 0 ;;
    --version) say "nearlayer-mirror $VERSION"; exit 0 ;;
    *) die $EX_USAGE "$1: unknown option" 'nearlayer-mirror --help shows them all' ;;
  esac
}

snippet() {
  snippet_url=$(sed -n 's/^url: //p' "$(optin_file)" 2>/dev/null)
  [ -n "$snippet_url" ] || die $EX_USAGE "$(optin_file) cannot be read, or has no url"
  case ${ARGUMENT:-all} in
    nginx | apache | caddy | all) print_snippets "${ARGUMENT:-all}" "$snippet_url" "$TARGET" ;;
    *) die $EX_USAGE "there is no snippet for $ARGUMENT" 'there are nginx, apache and caddy' ;;
  esac
}
