#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/runtime.h"

namespace weft {

// A function that a file imports or exports. Without a name: an interface that has types only.
struct InspectedFunction {
  std::string interface;  // Empty for a function of the world itself.
  std::string name;
  std::string signature;
  bool wasi = false;  // Wasmtime's own crates serve it, not the door.
};

// What made a file, as its producers section says.
struct Producer {
  std::string field;  // "language", "sdk" or "processed-by"
  std::string name;
  std::string version;
};

// What is in a file. With a problem, which says why it cannot be loaded, it has no functions.
struct Inspection {
  std::string form = {};  // "component", "module" (of WASI 0.1), or "text" of either.
  ProgramKind kind = ProgramKind::kLibrary;
  std::uint64_t size = 0;
  std::string digest = {};  // SHA-256 of the file.
  std::vector<Producer> producers = {};
  std::vector<InspectedFunction> imports = {};
  std::vector<InspectedFunction> exports = {};
  std::string wit = {};
  std::string problem = {};
};

// Reads a file without compiling it, which takes milliseconds. Fails when it cannot be read.
Result<Inspection> inspect_file(const std::string& path);

}  // namespace weft
