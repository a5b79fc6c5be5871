#include "remote/azure/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/bytes.h"
#include "io/http_client/http_client.h"
#include "remote/base64.h"
#include "remote/endpoint.h"

namespace weft::remote::azure {
namespace {

constexpr std::string_view kAzure = ".blob.core.windows.net";
constexpr std::size_t kContainerBytesMin = 3;
constexpr std::size_t kContainerBytesMax = 63;
constexpr std::size_t kAccountBytesMax = 63;

bool is_name(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '$';
  });
}

// What stands in a URL as it is.
bool is_query(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

Result<void> read_url(const Access& access, Settings& settings) {
  std::string text(access.url.reveal());
  if (text.empty()) text = fmt::format("https://{}{}", settings.account, kAzure);
  while (text.ends_with('/')) text.pop_back();
  TRY(ServerUrl url, ServerUrl::parse(text));
  if (url.scheme != "https" && url.scheme != "http") {
    return failure(Errc::kInvalid, "the URL's scheme: write https:// or, without TLS, http://");
  }
  if (!url.user.empty() || !url.password.reveal().empty()) {
    return failure(Errc::kInvalid, "the URL holds a user: write account and key instead");
  }
  settings.scheme = url.scheme;
  settings.host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  bool own_port = url.port == (url.scheme == "https" ? 443 : 80);
  if (url.port != 0 && !own_port) settings.host += fmt::format(":{}", url.port);
  if (!url.path.empty()) settings.path = "/" + url.path;
  return {};
}

Result<void> read_who(const Access& access, Settings& settings) {
  std::string_view sas = access.sas.reveal();
  if (sas.starts_with('?')) sas.remove_prefix(1);
  if (access.key.reveal().empty() == sas.empty()) {
    return failure(Errc::kInvalid,
                   "who asks: write key = { secret = \"NAME\" }, the account's, or "
                   "sas = { secret = \"NAME\" }, a token, and not both");
  }
  if (!is_query(sas)) return failure(Errc::kInvalid, "sas is not what Azure gives out");
  settings.sas = Secret(std::string(sas));
  if (!sas.empty()) return {};
  auto key = from_base64(access.key.reveal());
  if (!key || key->empty()) {
    return failure(Errc::kInvalid, "key is no base64: write the account's key as Azure shows it");
  }
  settings.key = Secret(std::string(as_text(*key)));
  return {};
}

}  // namespace

Result<Settings> read_access(const Access& access) {
  Settings settings{
      .account = access.account, .ca_file = access.ca_file, .timeout = access.timeout};
  bool named = !settings.account.empty() && settings.account.size() <= kAccountBytesMax;
  if (!named || !is_name(settings.account)) {
    return failure(Errc::kInvalid, "no account: write account = \"NAME\", the storage account's");
  }
  settings.container = access.container;
  std::size_t size = settings.container.size();
  if (size < kContainerBytesMin || size > kContainerBytesMax || !is_name(settings.container)) {
    return failure(Errc::kInvalid,
                   "no container: write container = \"NAME\", of one that is there");
  }
  TRY_VOID(read_who(access, settings));
  TRY_VOID(read_url(access, settings));
  if (settings.timeout < std::chrono::milliseconds(10)) {
    return failure(Errc::kInvalid, "timeout: at least 10ms");
  }
  if (!settings.ca_file.empty() && settings.scheme == "http") {
    return failure(Errc::kInvalid, "ca-file is for TLS: write https:// in the URL");
  }
  TRY_VOID(HttpClient::check({.ca_file = settings.ca_file}));
  return settings;
}

bool unencrypted(const Settings& settings) {
  std::string_view host = settings.host;
  bool here =
      host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
  return settings.scheme == "http" && !here;
}

}  // namespace weft::remote::azure
