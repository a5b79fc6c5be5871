#pragma once

#include <boost/json/string.hpp>
#include <string_view>

namespace weft {

// Boost's own conversion takes its own string_view alone.
inline boost::json::string json_string(std::string_view text) {
  return boost::json::string(text.data(), text.size());
}

}  // namespace weft
