// The process that compiles for the tests of this folder: compile_module FILE CACHE_FOLDER.
#include "node/runs/compile_apart.h"

int main(int count, char** words) {
  if (count != 3) return 2;
  weft::RuntimeOptions options;
  options.memory_slot_bytes = std::uint64_t{64} << 20;
  options.cache_folder = words[2];
  options.compiling = weft::RuntimeOptions::Compiling::kAlone;
  return weft::node::runs::compile_module(words[1], options, options.memory_slot_bytes);
}
