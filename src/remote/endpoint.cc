#include "remote/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace weft::remote {
namespace {

int hex(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    int high = hex(text[i + 1]);
    int low = hex(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

// Schemes that people write, and the driver whose they are.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kDriverOf{{
    {"redis", "redis"},
    {"rediss", "redis"},
    {"nats", "nats"},
    {"tls", "nats"},
    {"mqtt", "mqtt"},
    {"mqtts", "mqtt"},
    {"amqp", "rabbitmq"},
    {"amqps", "rabbitmq"},
    {"kafka", "kafka"},
    {"kafkas", "kafka"},
    {"mysql", "mysql"},
    {"mysqls", "mysql"},
    {"postgres", "postgres"},
    {"http", ""},
    {"postgresql", "postgres"},
    {"https", ""},
    {"tcp", ""},
}};

std::unexpected<Error> wrong(std::string_view what) {
  return failure(Errc::kInvalid, fmt::format("the URL {}: write SCHEME://HOST:PORT", what));
}

}  // namespace

std::string Endpoint::text() const {
  bool brackets = host.find(':') != std::string::npos;
  return brackets ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<ServerUrl> ServerUrl::parse(std::string_view text) {
  ServerUrl url;
  std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return wrong("has no scheme");
  url.scheme = text.substr(0, scheme);
  text.remove_prefix(scheme + 3);
  if (text.find_first_of("?#") != std::string_view::npos) {
    return wrong("has a query or a fragment, which mean nothing here");
  }
  std::size_t slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  if (slash != std::string_view::npos) {
    auto path = decode(text.substr(slash + 1));
    if (!path) return wrong("has a % without two hexadecimal digits in its path");
    url.path = *std::move(path);
  }
  if (std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    std::string_view who = authority.substr(0, at);
    std::size_t colon = who.find(':');
    auto user = decode(who.substr(0, colon));
    auto password = decode(colon == std::string_view::npos ? "" : who.substr(colon + 1));
    if (!user || !password) return wrong("has a % without two hexadecimal digits before its @");
    url.user = *std::move(user);
    url.password = Secret(*std::move(password));
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return wrong("has a [ without a ]");
    url.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (url.host.empty()) return wrong("names no host");
  if (!port.empty()) {
    const char* end = port.data() + port.size();
    auto [stop, error] = std::from_chars(port.data() + 1, end, url.port);
    if (port.front() != ':' || error != std::errc() || stop != end || url.port == 0) {
      return wrong("has a port that is no number from 1 to 65535");
    }
  }
  return url;
}

Result<ServerUrl> ServerUrl::parse(std::string_view text, const Form& form) {
  if (text.find("://") == std::string_view::npos) {
    return failure(Errc::kInvalid,
                   fmt::format("the URL has no scheme: write {}://HOST:{} or, with TLS, {}://HOST",
                               form.plain, form.port, form.tls));
  }
  TRY(ServerUrl url, parse(text));
  if (url.scheme == form.plain || url.scheme == form.tls) return url;
  // Only what is known to be one is shown.
  auto known = std::ranges::find(kDriverOf, std::string_view(url.scheme),
                                 [](const auto& each) { return each.first; });
  std::string found = "the URL's scheme";
  if (known != kDriverOf.end()) {
    found = fmt::format("the URL begins with {}://", known->first);
    if (!known->second.empty()) {
      found += fmt::format(", as one for the driver \"{}\" does", known->second);
    }
  }
  return failure(Errc::kInvalid,
                 fmt::format("{}: write {}:// or, with TLS, {}://", found, form.plain, form.tls));
}

}  // namespace weft::remote
