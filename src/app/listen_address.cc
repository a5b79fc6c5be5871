#include "app/listen_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

namespace weft {

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
  ListenAddress listen;
  std::size_t colon = text.rfind(':');
  std::string_view port = colon == std::string_view::npos ? text : text.substr(colon + 1);
  unsigned number = 0;
  auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  bool whole = problem == std::errc() && end == port.data() + port.size() && number <= 65'535;
  if (!whole) {
    return failure(
        Errc::kInvalid,
        fmt::format("\"{}\" is no port: write ADDRESS:PORT, for example 127.0.0.1:8080", port));
  }
  listen.port = static_cast<std::uint16_t>(number);
  if (colon == std::string_view::npos) return listen;
  std::string address(text.substr(0, colon));
  bool brackets = address.size() > 2 && address.starts_with('[') && address.ends_with(']');
  if (brackets) address = address.substr(1, address.size() - 2);
  if (address == "localhost") address = "127.0.0.1";
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  bool v4 = !brackets && inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
  bool v6 = inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1;
  if (!v4 && !v6) {
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" is no IP address: write one, or localhost, before the port, "
                               "for example 127.0.0.1:8080",
                               address));
  }
  listen.address = std::move(address);
  return listen;
}

std::string ListenAddress::text() const {
  bool v6 = address.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

bool ListenAddress::overlaps(const ListenAddress& other) const {
  if (port == 0 || port != other.port) return false;
  if (address == other.address) return true;
  bool v6 = address.find(':') != std::string::npos;
  if (v6 != (other.address.find(':') != std::string::npos)) return false;
  std::string_view all = v6 ? "::" : "0.0.0.0";
  return address == all || other.address == all;
}

}  // namespace weft
