#include "app/interface_name.h"

#include <algorithm>

namespace weft {

InterfaceName InterfaceName::of(std::string_view text) {
  std::size_t at = text.find('@');
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::string_view InterfaceName::track() const {
  // Build metadata says nothing, a pre-release everything.
  std::string_view numbers = version.substr(0, version.find('+'));
  if (numbers.contains('-')) return {};
  std::size_t first = numbers.find('.');
  if (first == std::string_view::npos) return {};
  if (numbers.substr(0, first) != "0") return numbers.substr(0, first);
  std::size_t second = numbers.find('.', first + 1);
  std::string_view minor = numbers.substr(0, second);
  return minor == "0.0" ? std::string_view() : minor;
}

bool serves(InterfaceName offered, InterfaceName wanted) {
  if (offered.path != wanted.path) return false;
  if (offered.version == wanted.version) return true;
  return !wanted.track().empty() && offered.track() == wanted.track();
}

bool means(InterfaceName written, InterfaceName interface) {
  return written.path == interface.path && (written.version.empty() || serves(interface, written));
}

}  // namespace weft
