// A command that counts its runs.

#include <cstdio>

#include "weft/keyvalue.h"

int main(int argc, char** argv) {
  auto bucket = weft::keyvalue::open("runs");
  auto runs = bucket ? bucket->increment("all") : std::unexpected(bucket.error());
  if (!runs) {
    std::fprintf(stderr, "%s\n", runs.error().message.c_str());
    return 1;
  }
  std::printf("Hello, %s! This is run %llu.\n", argc > 1 ? argv[1] : "world",
              static_cast<unsigned long long>(*runs));
  return 0;
}
