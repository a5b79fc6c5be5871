#include "capabilities/keyvalue/drivers/dynamodb/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <limits>
#include <utility>

#include "base/sha256.h"
#include "io/loop.h"
#include "remote/said.h"

namespace weft::keyvalue::dynamodb {
namespace {

namespace json = boost::json;

constexpr std::string_view kTarget = "DynamoDB_20120810.";
constexpr std::string_view kDoubt = "; whether it was done is not known";
constexpr unsigned kOk = 200;
constexpr unsigned kServerError = 500;

// What the server did not carry out, and would later. A conflict is one with somebody's
// transaction.
constexpr std::array<std::string_view, 6> kLater{"ProvisionedThroughputExceededException",
                                                 "ThrottlingException",
                                                 "RequestLimitExceeded",
                                                 "TransactionConflictException",
                                                 "TransactionInProgressException",
                                                 "ReplicatedWriteConflictException"};

constexpr std::array<std::string_view, 4> kWrongKeys{
    "UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException",
    "MissingAuthenticationTokenException"};

template <std::size_t N>
bool is_among(std::string_view type, const std::array<std::string_view, N>& list) {
  return std::ranges::find(list, type) != list.end();
}

Errc code_for(unsigned status, std::string_view type) {
  if (status >= kServerError || is_among(type, kLater)) return Errc::kUnavailable;
  if (is_among(type, kWrongKeys) || type == "AccessDeniedException" ||
      type == "ExpiredTokenException" || status == 401 || status == 403) {
    return Errc::kDenied;
  }
  if (type == "ResourceNotFoundException") return Errc::kNotFound;
  if (type == "ItemCollectionSizeLimitExceededException") return Errc::kFull;
  return Errc::kInvalid;
}

// "S" of the attribute of that name among the table's definitions.
std::string_view type_of(const json::object& table, std::string_view attribute) {
  const json::value* definitions = table.if_contains("AttributeDefinitions");
  if (definitions == nullptr || !definitions->is_array()) return "?";
  for (const json::value& each : definitions->get_array()) {
    const json::object* definition = each.if_object();
    if (definition == nullptr || text_in(*definition, "AttributeName") != attribute) continue;
    return text_in(*definition, "AttributeType");
  }
  return "?";
}

// "bucket (S, HASH), key (B, RANGE)"
std::string key_of(const json::object& table) {
  std::string out;
  const json::value* schema = table.if_contains("KeySchema");
  if (schema == nullptr || !schema->is_array()) return out;
  for (const json::value& each : schema->get_array()) {
    const json::object* part = each.if_object();
    if (part == nullptr) continue;
    std::string_view name = text_in(*part, "AttributeName");
    if (!out.empty()) out += ", ";
    out += fmt::format("{} ({}, {})", name, type_of(table, name), text_in(*part, "KeyType"));
  }
  return out;
}

}  // namespace

Error wrong_answer() {
  return {Errc::kCorrupt, "DynamoDB: an answer of another shape than was asked for"};
}

const json::object* object_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found == nullptr ? nullptr : found->if_object();
}

std::string_view text_in(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  const json::string* text = found == nullptr ? nullptr : found->if_string();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

Task<bool> Backoff::wait(Loop& loop, Deadline deadline) {
  if (++count_ >= kRefusalsMax) co_return false;
  auto longest = std::min(kRefusedFirst * (1U << count_), kRefusedLongest).count();
  std::random_device random;
  auto chance = static_cast<std::int64_t>(random()) % (longest / 2 + 1);
  Deadline until = Deadline::after(std::chrono::milliseconds(longest / 2 + chance));
  if (earlier(until, deadline).when() != until.when()) co_return false;
  CO_TRY_VOID(co_await remote::pause(loop, until));
  co_return true;
}

// What one attempt came to.
struct Client::Attempt {
  enum class End : std::uint8_t {
    kAnswered,
    kLater,   // Not carried out, and to be sent later.
    kLost,    // No answer came.
    kFailed,  // Not carried out.
  };
  End end = End::kFailed;
  Reply reply = {};
  std::optional<Error> error = {};
  bool begun = false;  // Of kLost: the server may have had it.
};

Client::Client(Loop& loop, std::shared_ptr<const Settings> settings)
    : settings_(std::move(settings)),
      service_(std::make_shared<remote::HttpService>(
          loop, remote::HttpServiceOptions{.name = fmt::format("DynamoDB at {}://{}",
                                                               settings_->scheme, settings_->host),
                                           .ca_file = settings_->ca_file,
                                           .timeout = settings_->timeout,
                                           .health = settings_->health})),
      signer_(settings_->credentials, settings_->region, "dynamodb"),
      places_(loop, kAtOnceMax) {}

std::uint64_t Client::new_version() {
  std::uint64_t version = 0;
  while (version == 0) {
    version = (static_cast<std::uint64_t>(random_()) << 32 | random_()) &
              static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  }
  return version;
}

Error Client::told(unsigned status, std::string_view type, std::string_view message) const {
  std::string text = fmt::format("{} answers {}", service_->options().name, status);
  if (!type.empty()) text += fmt::format(" {}", remote::said(type));
  if (!message.empty()) text += fmt::format(": {}", remote::said(message));
  if (type == "ResourceNotFoundException") {
    text += fmt::format("; there is no table {} in {}: make it, or correct `table` or `region`",
                        settings_->table, settings_->region);
  } else if (type == "InvalidSignatureException" && message.contains("Signature expired")) {
    text += "; the server's clock and this host's are apart: set this host's";
  } else if (is_among(type, kWrongKeys) || type == "ExpiredTokenException") {
    text += "; correct `access-key-id`, `secret-access-key`, `session-token` or `region`";
  } else if (type == "AccessDeniedException") {
    text += "; give these keys the rights that the driver's README names";
  } else if (type == "ValidationException" && message.contains("schema")) {
    text += "; the table's key has to be `bucket` (S, HASH) and `key` (B, RANGE)";
  }
  return {code_for(status, type), std::move(text)};
}

Client::Attempt Client::read_answer(unsigned status, std::string_view text) const {
  using End = Attempt::End;
  boost::system::error_code problem;
  json::value value = json::parse(json::string_view(text.data(), text.size()), problem);
  json::object* object = problem ? nullptr : value.if_object();
  if (status == kOk && object != nullptr) {
    return {.end = End::kAnswered, .reply = {.body = std::move(*object)}};
  }
  if (status >= kServerError) {
    std::string_view type = object == nullptr ? "" : text_in(*object, "__type");
    return {.end = End::kLost,
            .error = told(status, type.substr(type.find('#') + 1),
                          object == nullptr ? "" : text_in(*object, "message")),
            .begun = true};
  }
  if (object == nullptr) {
    return {.error = Error(Errc::kCorrupt,
                           fmt::format("{} answers {} with what is no JSON: is it DynamoDB's "
                                       "address? Correct `url`",
                                       service_->options().name, status))};
  }
  std::string_view type = text_in(*object, "__type");
  type = type.substr(type.find('#') + 1);
  if (type == "ConditionalCheckFailedException") {
    return {.end = End::kAnswered,
            .reply = {.body = std::move(*object), .refused_by_condition = true}};
  }
  std::string_view message = text_in(*object, "message");
  if (message.empty()) message = text_in(*object, "Message");
  return {.end = is_among(type, kLater) ? End::kLater : End::kFailed,
          .error = told(status, type, message)};
}

Task<std::string> Client::read_all(remote::HttpResponse& response, Deadline deadline) {
  std::string all;
  for (;;) {
    CO_TRY(Bytes piece, co_await response.read(deadline));
    if (piece.empty()) co_return all;
    if (all.size() + piece.size() > kAnswerBytesMax) {
      co_return failure(Errc::kLimit,
                        fmt::format("DynamoDB: an answer of more than {} bytes", kAnswerBytesMax));
    }
    all += as_text(piece);
  }
}

Task<Client::Attempt> Client::attempt(std::string operation, Kind kind, std::span<const Bytes> body,
                                      Deadline deadline) {
  using End = Attempt::End;
  using Repeat = remote::HttpAsk::Repeat;
  std::string payload = sha256_hex(body.front());
  // Signed for each attempt. The task that waits keeps what is referred to.
  auto headers = [&] {
    remote::aws::Fields fields{{"content-type", "application/x-amz-json-1.0"},
                               {"x-amz-target", fmt::format("{}{}", kTarget, operation)}};
    signer_.sign({"POST", "/", "", settings_->host, payload}, fields,
                 std::chrono::system_clock::now());
    return fields;
  };
  bool begun = false;
  auto response =
      co_await service_->ask({.method = "POST",
                              .url = fmt::format("{}://{}/", settings_->scheme, settings_->host),
                              .repeat = kind == Kind::kRead ? Repeat::kYes : Repeat::kNo,
                              .headers = headers,
                              .body = body,
                              .begun = &begun},
                             deadline);
  if (!response) {
    co_return Attempt{.end = End::kLost, .error = std::move(response).error(), .begun = begun};
  }
  auto text = co_await read_all(**response, deadline);
  if (!text) {
    co_return Attempt{.end = End::kLost, .error = std::move(text).error(), .begun = true};
  }
  Attempt out = read_answer((*response)->status(), *text);
  out.reply.in_doubt = begun;
  co_return out;
}

Task<Reply> Client::call(std::string operation, Kind kind, Body body, Deadline deadline) {
  CO_TRY(Places::Place place, co_await places_.take(deadline));
  if (deadline.passed()) {
    co_return failure(Errc::kTimeout, "DynamoDB: the deadline passed before it was sent");
  }
  Bytes bytes = to_bytes(body());
  Backoff backoff;
  bool doubt = false;
  for (unsigned losses = 0;;) {
    CO_TRY(Attempt tried, co_await attempt(operation, kind, std::span(&bytes, 1), deadline));
    using End = Attempt::End;
    doubt = doubt || tried.begun || tried.reply.in_doubt;
    if (tried.end == End::kAnswered) {
      tried.reply.in_doubt = doubt;
      co_return std::move(tried.reply);
    }
    if (tried.end == End::kLost && kind != Kind::kWrite && ++losses < kLossesMax &&
        !deadline.passed()) {
      continue;
    }
    if (tried.end == End::kLater) {
      CO_TRY(bool again, co_await backoff.wait(loop(), deadline));
      if (again) continue;
    }
    if (!doubt || kind == Kind::kRead) co_return std::unexpected(*std::move(tried.error));
    co_return failure(tried.error->code(), fmt::format("{}{}", tried.error->message(), kDoubt));
  }
}

Task<void> Client::reach(Deadline deadline) {
  auto body = [this] { return fmt::format(R"({{"TableName":"{}"}})", settings_->table); };
  CO_TRY(Reply reply, co_await call("DescribeTable", Kind::kRead, body, deadline));
  const json::object* table = object_in(reply.body, "Table");
  if (table == nullptr) co_return std::unexpected(wrong_answer());
  std::string key = key_of(*table);
  std::string_view wanted = "bucket (S, HASH), key (B, RANGE)";
  if (key != wanted) {
    co_return failure(Errc::kInvalid,
                      fmt::format("the table {} has the key {}, and has to have {}: make another, "
                                  "or correct `table`",
                                  settings_->table, remote::said(key), wanted));
  }
  std::string_view status = text_in(*table, "TableStatus");
  if (status == "CREATING" || status == "DELETING") {
    co_return failure(Errc::kUnavailable,
                      fmt::format("the table {} is in the state {}", settings_->table, status));
  }
  co_return Result<void>();
}

}  // namespace weft::keyvalue::dynamodb
