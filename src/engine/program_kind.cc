#include "engine/runtime.h"

namespace weft {

std::string_view to_string(ProgramKind kind) {
  switch (kind) {
    case ProgramKind::kLibrary: return "library";
    case ProgramKind::kCommand02: return "command (WASI 0.2)";
    case ProgramKind::kCommand03: return "command (WASI 0.3)";
    case ProgramKind::kHttp02: return "HTTP (WASI 0.2)";
    case ProgramKind::kHttp03: return "HTTP (WASI 0.3)";
  }
  return "unknown";
}

}  // namespace weft
