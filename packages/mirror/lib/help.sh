# What --help says.
# shellcheck shell=sh

help() {
  case ${1:-} in
    init) help_init ;;
    config) help_config ;;
    *) help_all ;;
  esac
}

help_all() {
  cat <<'END'
nearlayer-mirror: keep a mirror of container blobs, with rsync and a web server

Usage: nearlayer-mirror COMMAND [OPTION]…

  init         ask the few questions, write the configuration and the opt-in file, show web server snippets
  sync         pull what changed: blobs first, then the state, deletions last
  opt-in       tell the operator of this mirror, or of what changed in mirror.yaml
  opt-out      take it back: no more clients are sent here
  check-in     ask the operator to look at this mirror now; sync does it by itself
  status       what is here, and what the master has
  verify       hold the files against the list
  snippet      nginx, apache or caddy: print the web server's part again
  help         also: help init, help config

Options:
  --config FILE       /etc/nearlayer-mirror/nearlayer-mirror.conf, or $NEARLAYER_MIRROR_CONFIG
  -q, -v              say nothing but what is wrong; say how it is done
  --version           print the version
sync:
  --dry-run           say what would come, and change nothing
  --full              compare every file with the list, not what changed alone
  --max-delete COUNT  how many files may be deleted, this time
  --allow-older       take a generation that is older than the one here: the master was set back
  --jitter SECONDS    wait for up to so long first
verify:
  --hash              read every byte
  --repair            bring again what is wrong

Examples:
  nearlayer-mirror init --master rsync://master.example.org/containers/
  nearlayer-mirror sync -v
  */5 * * * *  nearlayer-mirror sync -q --jitter 120          a line for cron
  nearlayer-mirror verify --hash --repair

Exit codes:
  0    all well, or nothing new
  1    wrong use or configuration
  2    some platforms failed; each is named, and what was there of them stays
  3    the master cannot be reached
  4    the disk is full
  5    another run is at work
  6    more files are to be deleted than may be; all else is done
  130  ended by Ctrl-C; 143 by SIGTERM. The next run goes on where it stopped
END
}

help_init() {
  cat <<'END'
Usage: nearlayer-mirror init [OPTION]…       what is not given is asked for, or takes its default where nobody can answer

  --master URL          rsync://master.example.org/containers/
  --target FOLDER       /srv/containers
  --name NAME           example-jp
  --url URL             https://mirror.example.jp/containers/
  --country CODE        JP
  --bandwidth MBITS     100
  --platforms LIST      all, or linux-amd64,linux-arm64
  --contact TEXT        admin@example.jp
  --asn NUMBER          64500
  --netblocks LIST      198.51.100.0/24,2001:db8::/32
  --private             serve these netblocks alone
  --api URL             https://registry.example.org
  --verifier KEY        NAME+HASH+KEY, as the operator publishes it: GENERATION then counts only if signed by it
  --optin URL           where opt-ins are uploaded to; by default the master's module optin
  --force               write it anew; the token stays
END
}

help_config() {
  cat <<'END'
nearlayer-mirror.conf has lines of KEY = VALUE. It is read, never run.

  master            where to pull from: an rsync module with everything, or one platform's
  target            the folder that the web server shows
  platforms         all, or some: linux-amd64 linux-arm64
  name              this mirror's name; without it, there are no check-ins
  proof             what nearlayer-mirror.txt shows: the sha256 of the token in mirror.yaml
  verifier          NAME+HASH+KEY, as the operator publishes it; may stand there more than once, while keys change
  signature         require: without openssl 3, nothing is taken. try: then the list's sha256 must do. (require)
  api               the mirror list's URL, for check-ins by curl or wget; else they go by rsync
  optin             where opt-ins are uploaded to (the master's module optin)
  max-delete        files that one run may delete (a tenth of the tree, and 1000 at least)
  bandwidth-limit   KiB/s for rsync (0: none)
  timeout           seconds without a byte (300)
  password-file     for a master that asks for one; the user stands in the URL
END
}
