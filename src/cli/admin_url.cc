#include "cli/admin_url.h"

#include <fmt/format.h>

#include "app/listen_address.h"

namespace weft {

Result<std::string> admin_url(const std::string& admin, std::string_view path) {
  // Also as weft run prints it.
  std::string_view written = admin;
  if (written.starts_with("http://")) written.remove_prefix(7);
  if (written.ends_with('/')) written.remove_suffix(1);
  auto address = ListenAddress::parse(written);
  if (!address) return std::unexpected(std::move(address).error().within("the admin address"));
  bool v6 = address->address.find(':') != std::string::npos;
  std::string host = v6 ? fmt::format("[{}]", address->address) : address->address;
  return fmt::format("http://{}:{}{}", host, address->port, path);
}

}  // namespace weft
