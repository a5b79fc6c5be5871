#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"
#include "io/http_client/http_client.h"
#include "remote/endpoint.h"

namespace weft::keyvalue::dynamodb {
namespace {

constexpr std::array<DriverKey, 9> kKeys{{{"table", DriverKey::Kind::kText, "TABLE"},
                                          {"access-key-id", DriverKey::Kind::kText, "KEY-ID"},
                                          {"secret-access-key", DriverKey::Kind::kText, "KEY"},
                                          {"session-token"},
                                          {"url"},
                                          {"region"},
                                          {"prefix"},
                                          {"ca-file", DriverKey::Kind::kPath},
                                          {"timeout", DriverKey::Kind::kDuration}}};

constexpr std::size_t kTableBytesMin = 3;
// Of a table's ARN, which stands for its name.
constexpr std::size_t kTableBytesMax = 1024;
// A partition key has 2,048 bytes, and two names of 250 bytes take 1,502 of them.
constexpr std::size_t kPrefixBytesMax = 250;

// Letters, digits, and what else is allowed: none of it means anything in JSON or in a URL.
bool is_of(std::string_view text, std::string_view others) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.contains(c);
  });
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<void> read_url(const DriverChoice& choice, Settings& settings) {
  std::string text =
      choice.text("url", fmt::format("https://dynamodb.{}.amazonaws.com", settings.region));
  while (text.ends_with('/')) text.pop_back();
  TRY(remote::ServerUrl url, remote::ServerUrl::parse(text));
  if (url.scheme != "https" && url.scheme != "http") {
    return failure(Errc::kInvalid, "the URL's scheme: write https:// or, without TLS, http://");
  }
  if (!url.user.empty() || !url.password.reveal().empty()) {
    return failure(Errc::kInvalid,
                   "the URL holds a user: write access-key-id and secret-access-key instead");
  }
  if (!url.path.empty()) {
    return failure(Errc::kInvalid, "the URL has a path: write https://HOST or https://HOST:PORT");
  }
  settings.scheme = url.scheme;
  settings.host = url.host.contains(':') ? "[" + url.host + "]" : url.host;
  bool own_port = url.port == (url.scheme == "https" ? 443 : 80);
  if (url.port != 0 && !own_port) settings.host += fmt::format(":{}", url.port);
  return {};
}

Result<void> read_names(const DriverChoice& choice, Settings& settings) {
  settings.table = choice.text("table");
  if (!is_of(settings.table, "_.-:/") || settings.table.size() < kTableBytesMin ||
      settings.table.size() > kTableBytesMax) {
    return failure(Errc::kInvalid, "no table: write table = \"NAME\", of one that is there");
  }
  settings.region = choice.text("region", settings.region);
  if (!is_of(settings.region, "-")) {
    return failure(Errc::kInvalid, "region: write one like \"eu-central-1\"");
  }
  settings.prefix = choice.text("prefix", settings.prefix);
  if (!is_of(settings.prefix, "_.-/") || settings.prefix.size() > kPrefixBytesMax) {
    return failure(Errc::kInvalid,
                   fmt::format("prefix: 1 to {} letters, digits and any of _.-/", kPrefixBytesMax));
  }
  return {};
}

Result<void> read_credentials(const DriverChoice& choice, Settings& settings) {
  auto& keys = settings.credentials;
  keys = {choice.text("access-key-id"), Secret(choice.text("secret-access-key")),
          Secret(choice.text("session-token"))};
  if (keys.access_key_id.empty() || keys.secret_access_key.reveal().empty()) {
    return failure(Errc::kInvalid,
                   "no keys: write access-key-id and secret-access-key = { secret = \"NAME\" }");
  }
  if (!is_plain(keys.access_key_id) || !is_plain(keys.session_token.reveal())) {
    return failure(Errc::kInvalid, "access-key-id or session-token is not what Amazon gives out");
  }
  return {};
}

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  TRY_VOID(read_names(choice, settings));
  TRY_VOID(read_credentials(choice, settings));
  TRY_VOID(read_url(choice, settings));
  TRY(settings.timeout, choice.duration("timeout", settings.timeout));
  if (settings.timeout < std::chrono::milliseconds(10)) {
    return failure(Errc::kInvalid, "timeout: at least 10ms");
  }
  settings.ca_file = choice.text("ca-file");
  if (!settings.ca_file.empty() && settings.scheme == "http") {
    return failure(Errc::kInvalid, "ca-file is for TLS: write https:// in the URL");
  }
  TRY_VOID(HttpClient::check({.ca_file = settings.ca_file}));
  return settings;
}

}  // namespace weft::keyvalue::dynamodb
