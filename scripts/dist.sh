#!/bin/sh
# dist.sh: makes build/weft-VERSION-ARCHITECTURE.tar.gz of what is built: the binary, the libraries
# that other distributions have in other versions, the SDK, the manual page, completions, licence.
# Runs on Debian 12 and Ubuntu 24.04 with the packages that its README names.
set -eu
cd "$(dirname "$0")/.."
version=$(build/weft --version | cut -d' ' -f2)
name=weft-$version-$(uname -m)
folder=build/dist/$name
rm -rf build/dist
mkdir -p "$folder/bin" "$folder/lib/weft" "$folder/share/man/man1" "$folder/share/weft"
cp build/weft "$folder/bin/"
strip --strip-debug "$folder/bin/weft"

# Next to the binary: the linker finds them by the path that it has built in. The rest is in every
# release of both distributions under the same name.
ldd build/weft | sed -n 's/^[[:space:]]*\(lib[^ ]*\) => \([^ ]*\) .*/\1 \2/p' |
  while read -r library path; do
    case $library in
      libfmt.*|libboost_*|liblmdb.*|libmimalloc.*|libsodium.*|libtomlplusplus.*|libxxhash.*)
        cp -L "$path" "$folder/lib/weft/$library" ;;
    esac
  done

"$folder/bin/weft" man >"$folder/share/man/man1/weft.1"
for shell in bash zsh fish; do
  "$folder/bin/weft" completions "$shell" >"$folder/share/weft/completions.$shell"
done
cp -r sdk wit examples "$folder/share/weft/"
# For providers in C++: find_package(weft-provider) with this folder as a prefix.
sdk/provider/package/install.sh build "$folder"
strip --strip-debug "$folder/lib/libweft-provider.a"
cp LICENSE "$folder/"
cat >"$folder/README" <<'TEXT'
weft: a host for WebAssembly components.

    bin/weft new cpp hello && bin/weft dev hello

Needed at run time, on Debian 12 and on Ubuntu 24.04 (there libcurl4t64 and libssl3t64):

    apt install libstdc++6 libcurl4 libssl3 libnghttp2-14 libsqlite3-0 libpq5 libmariadb3 \
      librdkafka1 ca-certificates

To build components in C and C++ (weft build, weft dev), from Debian's or LLVM's own packages:

    apt install clang-22 lld-22 wasi-libc libc++-22-dev-wasm32 libc++abi-22-dev-wasm32 \
      libclang-rt-22-dev-wasm32

To build providers in C++ (share/weft/sdk/provider/README.md):

    apt install clang-22 lld-22 cmake libfmt-dev libboost-dev libboost-json-dev

Keep bin and lib beside each other. man -l share/man/man1/weft.1 is the manual.
TEXT
tar -C build/dist -czf "build/$name.tar.gz" "$name"
echo "build/$name.tar.gz"
