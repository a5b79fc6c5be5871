#!/bin/sh
# cargo_build.sh CARGO TARGET_DIR WHAT OUTPUT [HEADER...]
#
# Builds what cargo calls WHAT (--lib, --bin=NAME) in engine/ (the working folder) and copies the
# artefact to OUTPUT, with the list of files it came from beside it, for ninja. What did not change
# keeps its time stamp.
#
# The whole workspace is named each time, by the tests as well: cargo joins the features that the
# named packages ask of a dependency, and other packages would mean another build of Wasmtime.
set -eu
cargo=$1 target_dir=$2 what=$3 output=$4
shift 4
export CARGO_TARGET_DIR="$target_dir"
# A cargo that is not the first in PATH brings its own rustc.
[ "$cargo" = "$(command -v cargo || true)" ] || export RUSTC="${cargo%/cargo}/rustc"
mkdir -p "$target_dir" "$(dirname "$output")"

keep() {
  cmp -s "$1" "$2" && return
  mkdir -p "$(dirname "$2")"
  cp -L "$1" "$2.tmp.$$"
  mv -f "$2.tmp.$$" "$2"
}

# Other build trees share the target folder: the artefact is copied before one of them replaces it.
exec 9>"$target_dir/weft.lock"
flock 9
# Cargo goes by time stamps alone, and would take another tree's crates for this one's.
if [ "$(cat "$target_dir/weft.tree" 2>&1)" != "$PWD" ]; then
  find "$target_dir/release/.fingerprint" -path '*/weft-*/dep-*' -exec touch -d @0 {} + || true
  echo "$PWD" > "$target_dir/weft.tree"
fi
"$cargo" build --release --locked --workspace "$what" 9>&-
name=$(basename "$output")
artefact="$target_dir/release/$name"
keep "$artefact" "$output"
for header in "$@"; do
  keep "$target_dir/cxxbridge/$header" "$(dirname "$output")/include/$header"
done
# Cargo lists the sources under the artefact's own name. What build scripts wrote lies in the shared
# folder, and is written again for each tree: it follows from the rest.
sed -e "s|^[^:]*:|$output:|" -e "s| $target_dir/[^ ]*||g" "${artefact%.a}.d" > "$output.d"
