#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "observe/admin_calls.h"

namespace weft {

enum class AdminLines : std::uint8_t { kMore, kEnough };
// Given each line that comes before the outcome. A failure, or kEnough, ends the call.
using OnAdminLine = std::function<Result<AdminLines>(std::string_view line)>;

// Has a running host make a call, and waits for its end: the result's text, or what came in its
// place; kCancelled where the host ended it and may be asked anew. `url` is that of /api/call. Runs
// a loop on this thread.
Result<std::string> ask_admin(const std::string& url, const AdminCall& call,
                              std::chrono::milliseconds patience, const OnAdminLine& on_line = {});

}  // namespace weft
