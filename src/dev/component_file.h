#pragma once

#include <string>

#include "base/error.h"

namespace weft {

// Makes the component `output` of what a language's own tools made: a component as it is; a core
// module that says its world in a section of its own, or is a command of WASI 0.1, joined to WASI
// 0.2. `made` and `output` may be one file. Whether `output` is another than it was.
Result<bool> write_component(const std::string& made, const std::string& output);

// Whether a world of that WIT, a file or a folder without its deps, exports anything. One that does
// not is a command's: it has a main.
bool has_exports(const std::string& wit);

}  // namespace weft
