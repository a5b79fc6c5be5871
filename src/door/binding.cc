#include "door/binding.h"

#include <fmt/format.h>

#include "base/check.h"

namespace weft {

Function make_function(std::string_view interface, std::span<const FunctionInfo> functions,
                       std::size_t ordinal) {
  CHECK(ordinal < functions.size());
  const FunctionInfo& info = functions[ordinal];
  return {.interface = std::string(interface),
          .name = std::string(info.name),
          .signature = std::string(info.signature),
          .ordinal = static_cast<std::uint32_t>(ordinal),
          .plain = info.plain};
}

void reject(Completion done, Reader& arguments) {
  const Function& function = done.call().function();
  Result<void> end = arguments.end();
  CHECK(!end);
  std::string where = fmt::format("arguments of {} {}", function.interface, function.name);
  std::move(done).fail(std::move(end).error().within(where));
}

void reject_unknown(Completion done) {
  const Function& function = done.call().function();
  std::string message = fmt::format("{} {}: no function of number {} here", function.interface,
                                    function.name, function.ordinal);
  std::move(done).fail(Error(Errc::kInternal, std::move(message)));
}

}  // namespace weft
