#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace weft {

// The URL of a path behind a host's admin address, which is written as ADDR:PORT.
Result<std::string> admin_url(const std::string& admin, std::string_view path);

}  // namespace weft
