#!/bin/sh
# Prints the path of a cargo that can build the engine; says nothing and fails where there is none.
set -eu
wanted=95  # of 1.x: what Wasmtime asks for
for cargo in "$(command -v cargo || true)" /usr/bin/cargo /usr/share/cargo/bin/cargo; do
  [ -x "$cargo" ] || continue
  minor=$("$cargo" --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')
  if [ "${minor:-0}" -ge "$wanted" ]; then
    echo "$cargo"
    exit 0
  fi
done
exit 1
