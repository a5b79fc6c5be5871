// OpenAI's web API over ollama:llm: /v1/models, /v1/models/{id} and /v1/chat/completions.

#include "answers.h"
#include "chat_request.h"
#include "guest.hpp"
#include "json.h"
#include "weft/http.h"

namespace {

using weft::http::Request;
using weft::http::Response;

constexpr std::size_t kBodyMax = 4 * 1024 * 1024;
constexpr std::size_t kAnswerMax = 16 * 1024 * 1024;  // Of an answer that is not a stream.
constexpr std::string_view kModel = "/v1/models/";
constexpr std::string_view kInvalid = "invalid_request_error";

weft::Task<> reply_json(std::uint16_t status, std::string text, weft::http::Headers headers = {}) {
  headers.push_back({"content-type", "application/json"});
  Response response(status, headers);
  co_await response.write(text);
  co_await response.finish();
}

weft::Task<> reply_failure(Failure failure) {
  weft::http::Headers headers;
  if (failure.retry_after) headers.push_back({"retry-after", std::to_string(*failure.retry_after)});
  co_await reply_json(failure.status, error_json(failure), std::move(headers));
}

weft::Task<> reply_not_allowed(std::string allowed) {
  Failure failure{405, "Only " + allowed + " is served here.", kInvalid};
  co_await reply_json(405, error_json(failure), {{"allow", allowed}});
}

weft::Task<> list_models() {
  auto models = co_await llm::list();
  if (!models) co_return co_await reply_failure(failure_of(models.error()));
  co_await reply_json(200, models_json(*models));
}

weft::Task<> show_model(std::string name) {
  auto details = co_await llm::show(name);
  if (!details) co_return co_await reply_failure(failure_of(details.error()));
  co_await reply_json(200, model_json(details->model));
}

// The answer as one object, when all of it is there.
weft::Task<> answer_whole(Chat chat, llm::Reply reply) {
  std::string text;
  while (auto piece = co_await reply.text.next()) {
    text += *piece;
    if (text.size() > kAnswerMax) {
      co_return co_await reply_failure({502, "The answer is too long: ask for a stream."});
    }
  }
  auto end = co_await reply.end.get();
  if (!end) co_return co_await reply_failure(failure_of(end.error()));
  co_await reply_json(200, chat.completion(text, *end));
}

// Server-sent events, one for each piece. A client that is slow makes the model wait, and one that
// goes away ends it: what is left of the reply is dropped here. After an error there is no [DONE].
weft::Task<> answer_stream(Chat chat, llm::Reply reply, bool include_usage) {
  Response response(200, weft::http::Headers{{"content-type", "text/event-stream"},
                                             {"cache-control", "no-cache"}});
  if (!co_await response.write(chat.begin_event(include_usage))) co_return;
  while (auto piece = co_await reply.text.next()) {
    if (!co_await response.write(chat.text_event(*piece, include_usage))) co_return;
  }
  auto end = co_await reply.end.get();
  std::string last;
  if (!end) {
    last = "data: " + error_json(failure_of(end.error())) + "\n\n";
  } else {
    last = chat.finish_event(end->finish, include_usage);
    if (include_usage) last += chat.usage_event(end->usage);
    last += "data: [DONE]\n\n";
  }
  co_await response.write(last);
  co_await response.finish();
}

weft::Task<> complete_chat(Request request) {
  auto body = co_await std::move(request).body().read_all(kBodyMax);
  if (!body) {
    bool long_one = body.error().code == weft::Code::kTooLong;
    std::uint16_t status = long_one ? 413 : 400;
    co_return co_await reply_failure({status, body.error().message, kInvalid});
  }
  auto read = read_chat_request(*body);
  if (!read) co_return co_await reply_failure(failure_of(read.error()));
  Chat chat(read->asked.model);
  auto reply = co_await llm::chat(read->asked);
  if (!reply) co_return co_await reply_failure(failure_of(reply.error()));
  if (read->stream) {
    co_await answer_stream(std::move(chat), *std::move(reply), read->include_usage);
  } else {
    co_await answer_whole(std::move(chat), *std::move(reply));
  }
}

}  // namespace

weft::Task<> weft::http::handle(Request request) {
  std::string path = weft::http::decode(request.path());
  std::string method = request.method();
  if (path == "/v1/chat/completions") {
    if (method != "POST") co_return co_await reply_not_allowed("POST");
    co_return co_await complete_chat(std::move(request));
  }
  if (!json::is_utf8(path))
    co_return co_await reply_failure({400, "The path is not UTF-8.", kInvalid});
  bool one = path.size() > kModel.size() && path.starts_with(kModel);
  if (one || path == "/v1/models") {
    if (method != "GET") co_return co_await reply_not_allowed("GET");
    if (one) co_return co_await show_model(path.substr(kModel.size()));
    co_return co_await list_models();
  }
  co_await reply_failure({404, "There is no " + path + " here.", kInvalid});
}
