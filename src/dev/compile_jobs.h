#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace weft {

// One run of a compiler that makes one file.
struct CompileJob {
  std::vector<std::string> words;
  std::string source;  // What it is of, for people.
  std::string output;  // The file it makes, with what it depends on in `output`.d.
};

struct CompileResult {
  bool ran = false;
  std::string output;  // Warnings.
};

// Runs those jobs whose output is older than what it depends on, or was made by other words, as
// many at once as there are processors. The error has what the compiler said of all that failed.
Result<CompileResult> run_compile_jobs(const std::vector<CompileJob>& jobs);

// The files that a depfile of clang names.
std::vector<std::string> depfile_inputs(const std::string& text);

}  // namespace weft
