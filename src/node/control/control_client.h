#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weft::node::control {

// Asks the node whose control socket is at `path`, and waits: the answer's text. Failures have the
// node's own words; kUnavailable where nobody listens there.
Result<std::string> ask_control(const std::string& path, std::string_view method,
                                std::string_view target, std::string_view body = {});

// Bytes of an answer that goes on, as they come, until the node ends it or `take` says false.
Result<void> follow_control(const std::string& path, std::string_view target,
                            const std::function<bool(std::string_view)>& take);

}  // namespace weft::node::control
