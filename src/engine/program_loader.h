#pragma once

// For src/engine's own sources.

#include <optional>
#include <string>

#include "base/error.h"
#include "engine/compile_cache.h"
#include "engine/program_file.h"
#include "engine/runtime_impl.h"

namespace weft {

struct LoadedProgram {
  rust::Box<bridge::Program> program;
  std::string digest;   // SHA-256 of the component.
  bool cached = false;  // Its compiled form was on disk.
};

// Makes a program of a file: from the compiled form that is kept, or by compiling it.
class ProgramLoader {
 public:
  // `pooled`: its memories fit the slots of the pool.
  ProgramLoader(Runtime::Impl& runtime, bool pooled);

  Result<LoadedProgram> load(const std::string& path);

 private:
  using Found = std::optional<rust::Box<bridge::Program>>;

  void open_cache();
  Found kept(bool concurrent, const std::string& digest);
  std::optional<LoadedProgram> known(const ProgramFile& file);
  std::string_view engine_name(bool concurrent) const;

  Runtime::Impl& runtime_;
  bool pooled_;
  std::optional<CompileCache> cache_;
};

}  // namespace weft
