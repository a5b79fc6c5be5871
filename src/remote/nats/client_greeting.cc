// How a connection begins: what the server says of itself, and who comes.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "remote/nats/client.h"
#include "remote/nats/nkey.h"

namespace weft::remote::nats {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? "" : std::string(text->data(), text->size());
}

bool flag_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace

Result<std::string> Client::connect_options() {
  json::object options{
      {"verbose", false},      {"pedantic", false}, {"lang", "c++"},
      {"version", "1"},        {"protocol", 1},     {"headers", true},
      {"no_responders", true}, {"name", "weft"},    {"tls_required", state_ == State::kTls}};
  auto put = [&](const char* name, std::string_view value) {
    if (!value.empty()) options[name] = json::string_view(value.data(), value.size());
  };
  put("user", settings_->user);
  put("pass", settings_->password.reveal());
  put("auth_token", settings_->token.reveal());
  put("jwt", settings_->jwt.reveal());
  if (!settings_->seed.reveal().empty()) {
    TRY(Nkey key, Nkey::from_seed(settings_->seed.reveal()));
    put("sig", key.sign(nonce_));
    if (settings_->jwt.reveal().empty()) put("nkey", key.public_key());
  }
  return json::serialize(options);
}

Result<void> Client::greet() {
  TRY(std::string options, connect_options());
  state_ = State::kGreeting;
  connection_->out().append(
      fmt::format("CONNECT {}\r\nSUB {}* {}\r\n", options, inbox_, kInboxSubscription));
  explicit_bzero(options.data(), options.size());
  for (const auto& [id, subscription] : subscriptions_) write_subscription(id, subscription);
  connection_->out().append("PING\r\n");
  connection_->flush();
  watch();
  return {};
}

Result<void> Client::on_info(std::string_view text) {
  boost::system::error_code problem;
  json::value value = json::parse(json::string_view(text.data(), text.size()), problem);
  const json::object* info = problem ? nullptr : value.if_object();
  if (info == nullptr) return failure(Errc::kCorrupt, "what it says of itself is no JSON");
  if (const json::value* most = info->if_contains("max_payload"); most != nullptr) {
    boost::system::error_code no_number;
    auto bytes = most->to_number<std::int64_t>(no_number);
    if (!no_number && bytes > 0) payload_max_ = static_cast<std::size_t>(bytes);
  }
  // It says it again when its cluster changes.
  if (state_ != State::kInfo) return {};
  if (!flag_of(*info, "headers")) {
    return failure(Errc::kUnsupported, "it knows no headers: NATS 2.2 or later is needed");
  }
  nonce_ = text_of(*info, "nonce");
  std::string server = text_of(*info, "server_id");
  if (std::exchange(server_, server) != server) drop_doubtful();
  bool wanted = flag_of(*info, "tls_required");
  bool possible = wanted || flag_of(*info, "tls_available");
  if (settings_->tls_needed && !possible) {
    return failure(Errc::kDenied,
                   "it speaks no TLS: nats:// instead of tls:// would not ask for it");
  }
  if (wanted && settings_->tls == nullptr) {
    return failure(Errc::kDenied, "it wants TLS: write tls:// in the URL");
  }
  if (!wanted && !settings_->tls_needed) return greet();
  state_ = State::kTls;
  connection_->begin_tls(settings_->tls);
  return {};
}

}  // namespace weft::remote::nats
