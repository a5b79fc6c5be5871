#include "remote/nats/jetstream.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

namespace weft::remote::nats {
namespace {

namespace json = boost::json;

constexpr unsigned kNoResponders = 503;

std::uint64_t number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  boost::system::error_code problem;
  std::uint64_t number = value == nullptr ? 0 : value->to_number<std::uint64_t>(problem);
  return problem ? 0 : number;
}

// What JetStream calls wrong, in our words' order.
Error error_of(const json::object& error) {
  std::uint64_t code = number_of(error, "code");
  std::uint64_t number = number_of(error, "err_code");
  const json::value* said = error.if_contains("description");
  const json::string* text = said == nullptr ? nullptr : said->if_string();
  std::string words =
      fmt::format("JetStream: {} ({})", text == nullptr ? "?" : std::string_view(*text), number);
  switch (number) {
    case 10023:  // Insufficient resources, of the server's, an account's or a stream's.
    case 10028:
    case 10047:
    case 10077: return {Errc::kFull, words};
    case 10054: return {Errc::kInvalid, words};  // The stream's own bound of a message.
    case 10009:  // The cluster has no leader, or its JetStream is not there.
    case 10008:
    case 10076: return {Errc::kUnavailable, words};
    default: break;
  }
  if (code == 404) return {Errc::kNotFound, words};
  if (code == 401 || code == 403) return {Errc::kDenied, words};
  if (code == 503) return {Errc::kUnavailable, words};
  return {Errc::kIo, words};
}

Result<json::object> object_in(const Message& message) {
  boost::system::error_code problem;
  std::string_view text = as_text(message.payload);
  json::value value = json::parse(json::string_view(text.data(), text.size()), problem);
  if (problem || !value.is_object()) {
    return failure(Errc::kCorrupt, "JetStream answers with what is no JSON object");
  }
  return std::move(value.get_object());
}

// The problem that an answer names, or none.
std::optional<std::pair<Problem, Error>> problem_in(const json::object& body) {
  const json::value* value = body.if_contains("error");
  const json::object* error = value == nullptr ? nullptr : value->if_object();
  if (error == nullptr) return std::nullopt;
  auto number = static_cast<std::uint32_t>(number_of(*error, "err_code"));
  // Some have a code of HTTP's alone.
  if (number == 0) number = static_cast<std::uint32_t>(number_of(*error, "code"));
  return std::pair(static_cast<Problem>(number), error_of(*error));
}

Error nobody(std::string_view what) {
  return {Errc::kUnavailable, fmt::format("NATS: {}", what)};
}

}  // namespace

Result<ApiAnswer> read_api_answer(Message message) {
  if (message.headers.status == kNoResponders) {
    return ApiAnswer{Problem::kNoResponders,
                     nobody("JetStream is not there: it is not enabled, or not for this account")};
  }
  TRY(json::object body, object_in(message));
  auto problem = problem_in(body);
  if (problem) return ApiAnswer{problem->first, std::move(problem->second), std::move(body)};
  return ApiAnswer{.body = std::move(body)};
}

Result<PublishAck> read_publish_ack(Message message) {
  if (message.headers.status == kNoResponders) {
    return PublishAck{Problem::kNoResponders, nobody("no stream takes what was written")};
  }
  TRY(json::object body, object_in(message));
  if (auto problem = problem_in(body)) {
    return PublishAck{problem->first, std::move(problem->second)};
  }
  PublishAck ack{.sequence = number_of(body, "seq")};
  const json::value* duplicate = body.if_contains("duplicate");
  ack.duplicate = duplicate != nullptr && duplicate->is_bool() && duplicate->get_bool();
  if (ack.sequence == 0) return failure(Errc::kCorrupt, "JetStream acknowledges nothing");
  return ack;
}

void api(Client& client, std::string_view what, const json::object& body, Deadline deadline,
         Client::Repeat repeat, std::move_only_function<void(Result<ApiAnswer>)> done) {
  std::string text = body.empty() ? "" : json::serialize(body);
  client.request({fmt::format("$JS.API.{}", what), {}, to_bytes(text)}, deadline, repeat,
                 [done = std::move(done)](Result<Message> message) mutable {
                   if (!message) return done(std::unexpected(std::move(message).error()));
                   done(read_api_answer(*std::move(message)));
                 });
}

void publish(Client& client, Outgoing message, Deadline deadline, Client::Repeat repeat,
             std::move_only_function<void(Result<PublishAck>)> done) {
  client.request(std::move(message), deadline, repeat,
                 [done = std::move(done)](Result<Message> answer) mutable {
                   if (!answer) return done(std::unexpected(std::move(answer).error()));
                   done(read_publish_ack(*std::move(answer)));
                 });
}

}  // namespace weft::remote::nats
