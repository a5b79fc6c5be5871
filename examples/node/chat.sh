#!/bin/sh
# Talks in a chat that a node serves (chat.cc, or chat_door.cc in front of one). A node is named as
# for `weft net`. What is read are JSON lines of number, who and text; the next to ask for is the
# number behind the last.
#
#   chat.sh KEY.pem NODE say NAME TEXT
#   chat.sh KEY.pem NODE read [SINCE]
set -eu

usage() {
  echo "write chat.sh KEY.pem NODE say NAME TEXT, or chat.sh KEY.pem NODE read [SINCE]" >&2
  exit 2
}

# One string of JSON; what has no place in a line is a space.
quoted() {
  printf '"%s"' "$(printf %s "$1" | tr '\000-\037' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g')"
}

[ $# -ge 3 ] || usage
weft=${WEFT:-weft}
key=$1 node=$2 verb=$3
shift 3
case "$verb $#" in
  "say 2") function=post arguments="[$(quoted "$1"), $(quoted "$2")]" ;;
  "read 0") function=read arguments="[1]" ;;
  "read 1") function=read arguments="[$1]" ;;
  *) usage ;;
esac
"$weft" net call "$node" "example:node/chat#$function" "$arguments" --args-json --key "$key"
