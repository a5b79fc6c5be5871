#include "capabilities/secrets/drivers/vault.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <list>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/read_file.h"
#include "io/http_client/http_client.h"
#include "io/loop.h"
#include "io/timer.h"

namespace weft::secrets {
namespace {

namespace json = boost::json;

// Of an answer. The largest value, in JSON's longest spelling, has room in it several times.
constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 20;
constexpr std::size_t kTokenBytesMax = 4096;
// Connections to the one host, of one component on one loop.
constexpr std::size_t kConnectionsMax = 4;
constexpr std::size_t kReadsMax = 256;

// A path whose segments are encoded; nothing for one that would lead elsewhere.
std::optional<std::string> encoded(std::string_view path) {
  std::string out;
  std::string_view segment;
  for (std::size_t begin = 0; begin <= path.size(); begin += segment.size() + 1) {
    segment = path.substr(begin, path.find('/', begin) - begin);
    if (segment.empty() || segment == "." || segment == "..") return std::nullopt;
    if (begin != 0) out += '/';
    for (unsigned char c : segment) {
      bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-' || c == '_' || c == '.' || c == '~';
      out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
    }
  }
  return out;
}

bool is_header_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// http:// to another machine.
bool is_plain_and_elsewhere(std::string_view address) {
  constexpr std::string_view kPlain = "http://";
  if (!address.starts_with(kPlain)) return false;
  address.remove_prefix(kPlain.size());
  return !address.starts_with("127.") && !address.starts_with("localhost") &&
         !address.starts_with("[::1]");
}

Result<Secret> token_of(const VaultSettings& settings) {
  if (settings.token_file.empty()) return settings.token;
  auto text = read_file(settings.token_file, kTokenBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(settings.token_file));
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  Secret token(*std::move(text));
  if (!token.reveal().empty() && is_header_text(token.reveal())) return token;
  return failure(Errc::kInvalid, fmt::format("{} has no token in it", settings.token_file));
}

// What an answer with status 200 says. `where` is for messages.
Result<Secret> value_of(std::string_view body, std::string_view key, const std::string& where) {
  boost::system::error_code problem;
  json::value answer = json::parse(json::string_view(body.data(), body.size()), problem);
  auto member = [](const json::value* of, std::string_view name) -> const json::value* {
    const json::object* object = of == nullptr ? nullptr : of->if_object();
    return object == nullptr ? nullptr : object->if_contains(json::string_view(name));
  };
  const json::value* values = problem ? nullptr : member(member(&answer, "data"), "data");
  if (values == nullptr || !values->is_object()) {
    return failure(Errc::kCorrupt, fmt::format("{} answers with no KV secret of version 2: is the "
                                               "mount one?",
                                               where));
  }
  const json::value* value = member(values, key);
  if (value == nullptr) {
    return failure(Errc::kNotFound, fmt::format("{} has no key {}", where, key));
  }
  const json::string* text = value->if_string();
  if (text == nullptr) {
    return failure(Errc::kInvalid, fmt::format("{}: {} is no text", where, key));
  }
  Secret secret(std::string(text->data(), text->size()));
  TRY_VOID(check_value(key, secret.reveal()));
  return secret;
}

Error error_of(unsigned status, const std::string& where) {
  switch (status) {
    case 404: return {Errc::kNotFound, fmt::format("{} is not there", where)};
    case 403:
      return {Errc::kDenied, fmt::format("{}: Vault refuses: the token is not valid, or its policy "
                                         "does not let it read that",
                                         where)};
    case 503: return {Errc::kUnavailable, fmt::format("{}: Vault is sealed or not ready", where)};
    default: break;
  }
  bool later = status >= 500 || status == 429 || status == 412;
  return {later ? Errc::kUnavailable : Errc::kIo,
          fmt::format("{}: Vault answers with status {}", where, status)};
}

class VaultReader;

// One read under way. Owned by its reader; leaves it when it ends.
class VaultRead final : public HttpTransferListener {
 public:
  VaultRead(VaultReader& owner, Loop& loop, std::string where, std::string key)
      : owner_(owner), where_(std::move(where)), key_(std::move(key)), timer_(loop, [this] {
          end(failure(Errc::kTimeout, fmt::format("{} does not answer in time", where_)));
        }) {}

  Answer<Secret> answer() { return promise_.answer(); }
  void begin(HttpClient& client, const HttpClientRequest& request, Deadline deadline) {
    timer_.arm(deadline);
    auto started = client.start(request, *this);
    if (started) {
      transfer_ = *std::move(started);
      return;
    }
    end(std::unexpected(std::move(started).error().within(where_)));
  }

  // The operator said where Vault is.
  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t>) override { return kEnd; }
  void head(unsigned status, const HttpHeaders&) override { status_ = status; }
  bool has_room() override { return true; }
  void data(BytesView bytes) override {
    std::size_t room = body_.size() > kAnswerBytesMax ? 0 : kAnswerBytesMax + 1 - body_.size();
    body_ += as_text(bytes.first(std::min(bytes.size(), room)));
  }
  void finished(const HttpHeaders&) override {
    Secret body(std::move(body_));
    if (status_ != 200) return end(std::unexpected(error_of(status_, where_)));
    if (body.reveal().size() > kAnswerBytesMax) {
      return end(failure(Errc::kLimit, fmt::format("{} answers with more than {} bytes", where_,
                                                   kAnswerBytesMax)));
    }
    end(value_of(body.reveal(), key_, where_));
  }
  void failed(HttpProblem problem, const std::string& detail) override {
    Secret body(std::move(body_));
    end(failure(
        problem == HttpProblem::kReadTimeout ? Errc::kTimeout : Errc::kUnavailable,
        fmt::format("{}: {}{}{}", where_, to_string(problem), detail.empty() ? "" : ": ", detail)));
  }

 private:
  // Destroys this.
  void end(Result<Secret> outcome);

  VaultReader& owner_;
  const std::string where_;
  const std::string key_;
  Promise<Secret> promise_;
  std::unique_ptr<HttpTransfer> transfer_;
  unsigned status_ = 0;
  std::string body_;
  Timer timer_;
};

class VaultReader final : public Reader {
 public:
  VaultReader(const VaultSettings& settings, Loop& loop)
      : settings_(settings),
        client_(loop, {.ca_file = settings.ca_file,
                       .connections_max = kConnectionsMax,
                       .connections_per_host_max = kConnectionsMax,
                       .transfers_max = kReadsMax,
                       .connect_timeout = settings.timeout,
                       .first_byte_timeout = settings.timeout,
                       .between_bytes_timeout = settings.timeout}) {}

  Answer<Secret> get(Request request, std::string_view name) override {
    if (auto checked = check_name(name); !checked) return std::move(checked).error();
    std::string_view path = settings_.path.empty() ? name : std::string_view(settings_.path);
    std::string where =
        fmt::format("the secret {} in {} of {}", path, settings_.mount, settings_.address);
    auto mount = encoded(settings_.mount);
    auto there = encoded(path);
    if (!mount || !there) {
      return Error(Errc::kNotFound, fmt::format("{} is no path of Vault", where));
    }
    auto token = token_of(settings_);
    if (!token) return std::move(token).error();
    HttpClientRequest get{
        .url = fmt::format("{}/v1/{}/data/{}", settings_.address, *mount, *there),
        .headers = {{"x-vault-token", std::string(token->reveal())}, {"x-vault-request", "true"}}};
    if (!settings_.name_space.empty()) {
      get.headers.emplace_back("x-vault-namespace", settings_.name_space);
    }
    auto read = std::make_unique<VaultRead>(*this, request.loop, where, settings_.key);
    Answer<Secret> answer = read->answer();
    reads_.push_back(std::move(read));
    reads_.back()->begin(client_, get,
                         earlier(request.deadline, Deadline::after(settings_.timeout)));
    return answer;
  }

  void drop(const VaultRead& read) {
    std::erase_if(reads_, [&](const auto& each) { return each.get() == &read; });
  }

 private:
  const VaultSettings& settings_;
  HttpClient client_;
  std::list<std::unique_ptr<VaultRead>> reads_;  // kReadsMax at most, as the client has it.
};

void VaultRead::end(Result<Secret> outcome) {
  Promise<Secret> promise = std::move(promise_);
  owner_.drop(*this);
  std::move(promise).fulfil(std::move(outcome));
}

class VaultSource final : public Source {
 public:
  explicit VaultSource(VaultSettings settings) : settings_(std::move(settings)) {}

  Result<void> open() override {
    if (is_plain_and_elsewhere(settings_.address) && !told_.exchange(true)) {
      log::warn("secrets", "secrets and the token cross the network unencrypted: write https://",
                {{"address", settings_.address}});
    }
    return HttpClient::check({.ca_file = settings_.ca_file});
  }
  std::unique_ptr<Reader> reader(Loop& loop) override {
    return std::make_unique<VaultReader>(settings_, loop);
  }

 private:
  const VaultSettings settings_;
  std::atomic<bool> told_ = false;
};

}  // namespace

Result<std::unique_ptr<Source>> vault_source(VaultSettings settings) {
  while (settings.address.ends_with('/')) settings.address.pop_back();
  bool secure = settings.address.starts_with("https://");
  if (!secure && !settings.address.starts_with("http://")) {
    return failure(Errc::kInvalid,
                   "the driver \"vault\" of secrets needs address = \"https://HOST:PORT\"");
  }
  if (settings.token.reveal().empty() == settings.token_file.empty()) {
    return failure(Errc::kInvalid,
                   "the driver \"vault\" of secrets needs one of token = { env = \"VAULT_TOKEN\" } "
                   "and token-file = \"FILE\"");
  }
  if (!is_header_text(settings.token.reveal())) {
    return failure(Errc::kInvalid, "the token of the driver \"vault\" is no token");
  }
  if (!is_header_text(settings.name_space)) {
    return failure(Errc::kInvalid, "the namespace of the driver \"vault\" is no name of one");
  }
  return std::make_unique<VaultSource>(std::move(settings));
}

}  // namespace weft::secrets
