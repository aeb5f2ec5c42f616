# What a web server must do: hand out files as they are. No compression, Range allowed, no password, no Content-Encoding
# made of an ending; blobs never change, the state is asked for again each time.
# shellcheck shell=sh

# print_snippets nginx|apache|caddy|all URL FOLDER
print_snippets() {
  web_host=${2#*://}
  web_path=/${web_host#*/}
  web_host=${web_host%%/*}
  case $1 in nginx | all) snippet_nginx "$3" ;; esac
  case $1 in apache | all) snippet_apache "$3" ;; esac
  case $1 in caddy | all) snippet_caddy "$3" ;; esac
}

snippet_nginx() {
  cat <<END
# nginx: within the server block of $web_host
location $web_path {
    alias "$1/";
    gzip off;
    sendfile on;
    tcp_nopush on;
    types { }
    default_type application/octet-stream;
    add_header Cache-Control "public, max-age=31536000, immutable";
}
location ${web_path}zz-state/ {
    alias "$1/zz-state/";
    gzip off;
    types { }
    default_type application/octet-stream;
    add_header Cache-Control "no-cache";
}
location = ${web_path}nearlayer-mirror.txt {
    alias "$1/nearlayer-mirror.txt";
    gzip off;
    default_type text/plain;
    add_header Cache-Control "no-cache";
}
location ${web_path}.nearlayer/ {
    return 404;
}

END
}

snippet_apache() {
  cat <<END
# Apache: within the virtual host of $web_host; needs a2enmod headers
Alias "$web_path" "$1/"
<Directory "$1">
    Require all granted
    Options None
    AllowOverride None
    ForceType application/octet-stream
    RemoveEncoding .gz
    SetEnv no-gzip 1
    SetEnv no-brotli 1
    Header set Cache-Control "public, max-age=31536000, immutable"
</Directory>
<Directory "$1/zz-state">
    Header set Cache-Control "no-cache"
</Directory>
<Files "nearlayer-mirror.txt">
    ForceType text/plain
    Header set Cache-Control "no-cache"
</Files>
<Directory "$1/.nearlayer">
    Require all denied
</Directory>

END
}

snippet_caddy() {
  cat <<END
# Caddy: the site; leave out any encode directive
$web_host {
    handle_path $web_path* {
        root * "$1"
        @state path /zz-state/* /nearlayer-mirror.txt
        @blobs {
            file
            not path /zz-state/* /nearlayer-mirror.txt /.nearlayer/*
        }
        header @state Cache-Control "no-cache"
        header @blobs Cache-Control "public, max-age=31536000, immutable"
        header Content-Type application/octet-stream
        file_server {
            hide .nearlayer
        }
    }
}

END
}
