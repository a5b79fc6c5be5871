#!/bin/sh
# Counts the words of a file on several nodes at once: each counts a part of it, and the first adds
# up what they found. A node is named as for `weft net`; what one of them refuses ends it all.
#
#   word_count.sh KEY.pem FILE NODE [NODE...]
set -eu

if [ $# -lt 3 ]; then
  echo "write word_count.sh KEY.pem FILE NODE [NODE...]" >&2
  exit 2
fi
weft=${WEFT:-weft}
program=${PROGRAM:-$(dirname "$0")/build/word-count.wasm}
key=$1 file=$2
shift 2
first=$1

parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
# No line is cut in two.
split -n "l/$#" -a 3 -d "$file" "$parts/part."

number=0
jobs=""
for node in "$@"; do
  part=$(printf '%s/part.%03d' "$parts" "$number")
  "$weft" net run "$node" "$program" --key "$key" <"$part" >"$part.counts" &
  jobs="$jobs $!"
  number=$((number + 1))
done
for job in $jobs; do wait "$job"; done

cat "$parts"/part.*.counts >"$parts/all"
"$weft" net run "$first" "$program" sum --key "$key" <"$parts/all"
