#include "remote/nats/access.h"

#include <fmt/format.h>

#include "base/read_file.h"
#include "io/http/tls_client.h"
#include "remote/nats/nkey.h"

namespace weft::remote::nats {
namespace {

constexpr std::uint16_t kPort = 4222;
constexpr std::size_t kServersMax = 64;
constexpr std::size_t kCredentialsBytesMax = 64UL * 1024;

Result<void> add_servers(std::string_view urls, Settings& settings) {
  while (!urls.empty()) {
    std::size_t end = std::min(urls.find(','), urls.size());
    TRY(ServerUrl url, ServerUrl::parse(urls.substr(0, end), {"nats", "tls", kPort}));
    urls.remove_prefix(std::min(end + 1, urls.size()));
    if (!url.path.empty()) return failure(Errc::kInvalid, "the URL has a path: NATS knows none");
    bool tls = url.scheme == "tls";
    if (!settings.endpoints.empty() && tls != settings.tls_needed) {
      return failure(Errc::kInvalid, "the URLs of one cluster are all nats:// or all tls://");
    }
    settings.tls_needed = tls;
    settings.endpoints.push_back({url.host, url.port == 0 ? kPort : url.port});
    if (settings.endpoints.size() > kServersMax) {
      return failure(Errc::kInvalid, fmt::format("more than {} servers", kServersMax));
    }
    // nats://TOKEN@HOST
    if (!url.user.empty() && url.password.reveal().empty()) {
      settings.token = Secret(url.user);
    } else if (!url.user.empty()) {
      settings.user = url.user;
      settings.password = url.password;
    }
  }
  return {};
}

}  // namespace

Result<Settings> read_access(const Access& access) {
  if (access.url.reveal().empty()) {
    return failure(Errc::kInvalid, "no url: write url = \"nats://HOST:4222\"");
  }
  Settings settings;
  TRY_VOID(add_servers(access.url.reveal(), settings));
  settings.silence = access.timeout;
  if (settings.silence < std::chrono::milliseconds(10)) {
    return failure(Errc::kInvalid, "timeout: at least 10ms");
  }
  if (!access.username.empty()) settings.user = access.username;
  if (!access.password.reveal().empty()) settings.password = access.password;
  if (!access.token.reveal().empty()) settings.token = access.token;
  if (!access.nkey.reveal().empty()) {
    TRY_VOID(Nkey::from_seed(access.nkey.reveal()));
    settings.seed = access.nkey;
  }
  if (!access.credentials_file.empty()) {
    if (!settings.seed.reveal().empty()) {
      return failure(Errc::kInvalid, "nkey and credentials-file: one of them");
    }
    auto text = read_file(access.credentials_file, kCredentialsBytesMax);
    std::string where = fmt::format("credentials-file {}", access.credentials_file);
    if (!text) return std::unexpected(std::move(text).error().within(where));
    Secret all(*std::move(text));
    auto found = parse_credentials(all.reveal());
    if (!found) return std::unexpected(std::move(found).error().within(where));
    settings.jwt = std::move(found->jwt);
    settings.seed = std::move(found->seed);
  }
  if (!settings.tls_needed) {
    if (access.ca_file.empty()) return settings;
    return failure(Errc::kInvalid, "ca-file is for TLS: write tls:// in the URL");
  }
  TRY(settings.tls, TlsClient::make(access.ca_file));
  return settings;
}

}  // namespace weft::remote::nats
