#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "engine/wit.h"
#include "toolchain/bindgen/bindgen.h"

namespace weft {

// Writes guest.hpp, guest.cc and the headers of the interfaces, the C++ bindings of a world, into
// `folder`, and gives their paths below it. Files that would not change keep their times.
Result<std::vector<std::string>> make_guest_cpp(
    const GuestWorld& world, const std::string& folder,
    bindgen::GuestScope scope = bindgen::GuestScope::kAll);

// Writes the headers that C++ bindings include into `folder`, for builds without weft's own SDK.
Result<std::vector<std::string>> write_guest_headers(const std::string& folder);

}  // namespace weft
