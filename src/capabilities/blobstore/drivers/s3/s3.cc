#include "capabilities/blobstore/drivers/s3/s3.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "capabilities/blobstore/drivers/s3/container.h"
#include "capabilities/shared_by.h"
#include "io/loop.h"
#include "remote/endpoint.h"

namespace weft::blobstore::s3 {
namespace {

constexpr std::array<DriverKey, 10> kKeys{{{"bucket", DriverKey::Kind::kText, "BUCKET"},
                                           {"access-key-id", DriverKey::Kind::kText, "KEY-ID"},
                                           {"secret-access-key", DriverKey::Kind::kText, "KEY"},
                                           {"session-token"},
                                           {"url"},
                                           {"region"},
                                           {"prefix"},
                                           {"ca-file", DriverKey::Kind::kPath},
                                           {"timeout", DriverKey::Kind::kDuration},
                                           {"part-size", DriverKey::Kind::kSize}}};

constexpr std::string_view kAmazon = ".amazonaws.com";
constexpr std::size_t kBucketBytesMax = 63;
// What is bound to fit beside a name of 1,024 bytes that is spelled otherwise.
constexpr std::size_t kPrefixBytesMax = 256;
// S3's own bounds.
constexpr std::uint64_t kPartBytesMin = std::uint64_t{5} << 20;
constexpr std::uint64_t kPartBytesMax = std::uint64_t{512} << 20;

bool is_label(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// Amazon has the bucket in the host's name; a name with dots in it is no name of its certificate.
Result<void> read_url(const DriverChoice& choice, Settings& settings) {
  std::string text = choice.text("url", fmt::format("https://s3.{}{}", settings.region, kAmazon));
  while (text.ends_with('/')) text.pop_back();
  TRY(remote::ServerUrl url, remote::ServerUrl::parse(text));
  if (url.scheme != "https" && url.scheme != "http") {
    return failure(Errc::kInvalid, "the URL's scheme: write https:// or, without TLS, http://");
  }
  if (!url.user.empty() || !url.password.reveal().empty()) {
    return failure(Errc::kInvalid,
                   "the URL holds a user: write access-key-id and secret-access-key instead");
  }
  settings.scheme = url.scheme;
  settings.host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  bool own_port = url.port == (url.scheme == "https" ? 443 : 80);
  if (url.port != 0 && !own_port) settings.host += fmt::format(":{}", url.port);
  if (!url.path.empty()) settings.path = "/" + url.path;
  bool amazon = url.host.ends_with(kAmazon) && settings.path.empty();
  if (amazon && settings.bucket.find('.') == std::string::npos) {
    settings.host = settings.bucket + "." + settings.host;
  } else {
    settings.path += "/" + settings.bucket;
  }
  return {};
}

Result<void> read_sizes(const DriverChoice& choice, Settings& settings) {
  TRY(settings.timeout, choice.duration("timeout", settings.timeout));
  if (settings.timeout < std::chrono::milliseconds(10)) {
    return failure(Errc::kInvalid, "timeout: at least 10ms");
  }
  if (const Secret* size = choice.find("part-size")) {
    TRY(std::uint64_t bytes, parse_size(size->reveal()));
    if (bytes < kPartBytesMin || bytes > kPartBytesMax) {
      return failure(Errc::kInvalid, "part-size: 5MiB to 512MiB");
    }
    settings.part_bytes = static_cast<std::size_t>(bytes);
  }
  return {};
}

class S3Backend final : public Backend {
 public:
  explicit S3Backend(Settings settings)
      : settings_(with_health(std::move(settings))), making_(std::make_shared<Making>()) {}

  Result<void> open() override {
    std::string_view host = settings_->host;
    bool here =
        host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    if (settings_->scheme == "http" && !here) {
      log::warn("blobstore", "objects cross the network unencrypted: write https://",
                {{"url", fmt::format("http://{}", host)}});
    }
    return HttpClient::check({.ca_file = settings_->ca_file});
  }

  std::unique_ptr<Store> store(Loop& loop) override {
    return std::make_unique<S3Store>(client(loop), making_);
  }

  void reach(Loop& loop, Deadline deadline, Reached done) override {
    auto ask = [](std::shared_ptr<Client> asked, Request request) -> Task<void> {
      co_return co_await asked->reach(request);
    };
    loop.spawn(ask(client(loop), {loop, deadline}), std::move(done));
  }
  std::shared_ptr<const remote::Health> health() const override { return settings_->health; }

 private:
  static std::shared_ptr<const Settings> with_health(Settings settings) {
    settings.health = std::make_shared<remote::Health>(settings.host);
    return std::make_shared<const Settings>(std::move(settings));
  }
  std::shared_ptr<Client> client(Loop& loop) {
    return clients_.get(&loop, [&] { return std::make_shared<Client>(loop, settings_); });
  }

  std::shared_ptr<const Settings> settings_;  // Shared with the clients, which may outlive it.
  std::shared_ptr<Making> making_;            // Shared by the stores.
  PerLoop<Client> clients_;
};

}  // namespace

std::span<const DriverKey> driver_keys() {
  return kKeys;
}

Result<Settings> read_settings(const DriverChoice& choice) {
  Settings settings;
  settings.bucket = choice.text("bucket");
  if (!is_label(settings.bucket) || settings.bucket.size() > kBucketBytesMax) {
    return failure(Errc::kInvalid, "no bucket: write bucket = \"NAME\", of one that is there");
  }
  settings.region = choice.text("region", settings.region);
  if (!is_label(settings.region)) {
    return failure(Errc::kInvalid, "region: write one like \"eu-central-1\"");
  }
  settings.credentials = {choice.text("access-key-id"), Secret(choice.text("secret-access-key")),
                          Secret(choice.text("session-token"))};
  const auto& keys = settings.credentials;
  if (keys.access_key_id.empty() || keys.secret_access_key.reveal().empty()) {
    return failure(Errc::kInvalid,
                   "no keys: write access-key-id and secret-access-key = { secret = \"NAME\" }");
  }
  if (!is_plain(keys.access_key_id) || !is_plain(keys.session_token.reveal())) {
    return failure(Errc::kInvalid, "access-key-id or session-token is not what S3 gives out");
  }
  if (choice.find("prefix") != nullptr) settings.prefix = choice.text("prefix");
  if (settings.prefix) {
    bool whole = settings.prefix->empty() || settings.prefix->ends_with('/');
    if (!whole || settings.prefix->starts_with('/') || settings.prefix->size() > kPrefixBytesMax) {
      return failure(Errc::kInvalid, fmt::format("prefix: write one like \"photos/\", of at most "
                                                 "{} bytes, or \"\" for the whole bucket",
                                                 kPrefixBytesMax));
    }
  }
  settings.ca_file = choice.text("ca-file");
  TRY_VOID(read_sizes(choice, settings));
  TRY_VOID(read_url(choice, settings));
  if (!settings.ca_file.empty() && settings.scheme == "http") {
    return failure(Errc::kInvalid, "ca-file is for TLS: write https:// in the URL");
  }
  TRY_VOID(HttpClient::check({.ca_file = settings.ca_file}));
  return settings;
}

std::unique_ptr<Backend> s3_backend(Settings settings) {
  return std::make_unique<S3Backend>(std::move(settings));
}

}  // namespace weft::blobstore::s3
