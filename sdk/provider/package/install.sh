#!/bin/sh
# install.sh BUILD PREFIX: puts the provider SDK below PREFIX, as one library, its headers and the
# package that CMake finds. BUILD has built weft_provider_sdk.
set -eu
build=$1
prefix=$2
root=$(cd "$(dirname "$0")/../../.." && pwd)

mkdir -p "$prefix/lib/cmake/weft-provider" "$prefix/include/weft-provider/weft"
# One archive of several: who links it names no order.
library=$prefix/lib/libweft-provider.a
rm -f "$library"
{
  echo "create $library"
  for each in sdk/provider/libweft_provider_sdk src/provider/libweft_provider_wire \
    src/values/libweft_values src/door/libweft_door src/io/libweft_io src/base/libweft_base; do
    echo "addlib $build/$each.a"
  done
  echo save
  echo end
} | "${AR:-ar}" -M

cp "$root/sdk/provider/weft/provider.h" "$prefix/include/weft-provider/weft/"
for folder in base io io/http_client door; do
  mkdir -p "$prefix/include/weft-provider/$folder"
  for header in "$root/src/$folder"/*.h; do
    case $header in
      *test*) ;;
      *) cp "$header" "$prefix/include/weft-provider/$folder/" ;;
    esac
  done
done
cp "$root/sdk/provider/package/weft-provider-config.cmake" "$prefix/lib/cmake/weft-provider/"
