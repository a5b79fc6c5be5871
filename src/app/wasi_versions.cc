#include "app/wasi_versions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weft {
namespace {

// The version of a generation of WASI's own interfaces that the engine has; it serves all of that
// generation's.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kWasi{
    {{"0.2.", "0.2.12"}, {"0.3.", "0.3.0"}}};

}  // namespace

std::string wasi_problem(std::string_view interface) {
  std::size_t at = std::min(interface.find('@'), interface.size());
  std::string_view version = interface.substr(std::min(at + 1, interface.size()));
  bool known = std::ranges::any_of(kWasi, [&](const auto& each) {
    return version.starts_with(each.first) && !version.contains('-');
  });
  if (known) return {};
  std::string_view package = interface.substr(0, interface.find('/'));
  return fmt::format("{} is not offered; what is: {}@{}, {}@{}", interface, package,
                     kWasi[0].second, package, kWasi[1].second);
}

}  // namespace weft
