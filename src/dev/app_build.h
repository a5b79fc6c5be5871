#pragma once

#include <string>

#include "app/manifest.h"
#include "dev/guest_compiler.h"

namespace weft {

// Who hears how a build goes.
class BuildReport {
 public:
  virtual ~BuildReport() = default;
  // One line, for people.
  virtual void line(const std::string& text) = 0;
};

// Builds the components of an app that say how: by weft, or by their command, in weft.toml's
// folder; of a core module that the command makes weft makes the component. The number of
// components that changed. The error names the first that cannot be built, with what its compiler
// said.
Result<std::size_t> build_app(const Manifest& manifest, const std::string& cache, Effort effort,
                              BuildReport& report);

}  // namespace weft
