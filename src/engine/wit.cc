#include "engine/wit.h"

#include <fmt/format.h>

#include "engine/runtime_impl.h"

namespace weft {

Result<std::string> describe_wit(const WitQuery& query) {
  auto list = [](const std::vector<std::string>& texts) {
    rust::Vec<rust::String> out;
    for (const std::string& text : texts) out.push_back(text);
    return out;
  };
  try {
    return to_string(bridge::describe_wit(query.path, list(query.packages), list(query.interfaces),
                                          list(query.worlds)));
  } catch (const rust::Error& error) {
    return failure(Errc::kInvalid, fmt::format("{}: {}", query.path, error.what()));
  }
}

}  // namespace weft
