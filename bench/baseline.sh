#!/bin/sh
# Builds what the bench compares with, wasmtime-cli as it is published, into weft's cache folder.
# Minutes, once; does nothing when it is there in this version.
set -eu
version=48.0.8
folder=${XDG_CACHE_HOME:-$HOME/.cache}/weft/baseline

case "$("$folder/bin/wasmtime" --version 2>/dev/null)" in
  "wasmtime $version"*) exit 0 ;;
esac
cargo=$("$(dirname "$0")/../scripts/find-cargo.sh")
# A cargo that is not the first in PATH brings its own rustc.
[ "$cargo" = "$(command -v cargo || true)" ] || export RUSTC="${cargo%/cargo}/rustc"
echo "weft: building the baseline, wasmtime-cli $version, into $folder: this takes minutes"
CARGO_TARGET_DIR=$folder/target "$cargo" install wasmtime-cli --quiet --locked --force \
  --version "$version" --root "$folder"
rm -rf "$folder/target"
