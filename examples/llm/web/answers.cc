#include "answers.h"

#include <unistd.h>

#include <array>
#include <ctime>
#include <utility>

#include "json.h"

namespace {

using json::written;

std::string or_null(std::string_view text) {
  return text.empty() ? "null" : written(text);
}

std::string random_id() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, 12> bytes{};
  getentropy(bytes.data(), bytes.size());
  std::string id = "chatcmpl-";
  for (unsigned char each : bytes) {
    id += kDigits[each >> 4];
    id += kDigits[each & 0xf];
  }
  return id;
}

std::string_view name_of(llm::FinishReason reason) {
  switch (reason) {
    case llm::FinishReason::kStop: return "stop";
    case llm::FinishReason::kLength: return "length";
    case llm::FinishReason::kContentFilter: return "content_filter";
  }
  return "stop";
}

std::string usage_json(const llm::Usage& usage) {
  auto total = std::uint64_t{usage.prompt_tokens} + usage.completion_tokens;
  return "{\"prompt_tokens\":" + std::to_string(usage.prompt_tokens) +
         ",\"completion_tokens\":" + std::to_string(usage.completion_tokens) +
         ",\"total_tokens\":" + std::to_string(total) + "}";
}

}  // namespace

Failure failure_of(const Refusal& refusal) {
  return {.status = 400,
          .message = refusal.message,
          .type = "invalid_request_error",
          .param = refusal.param};
}

Failure failure_of(const llm::Error& error) {
  using llm::Error;
  return error.match(
      [](const Error::NoSuchModel& it) {
        return Failure{404, "The model '" + it.value + "' does not exist.", "invalid_request_error",
                       "model_not_found", "model"};
      },
      [](const Error::Invalid& it) {
        return Failure{.status = 400, .message = it.value, .type = "invalid_request_error"};
      },
      [](const Error::RateLimited& it) {
        return Failure{429,     "Too many requests.", "rate_limit_error", "rate_limit_exceeded", "",
                       it.value};
      },
      [](const Error::Overloaded& it) {
        return Failure{503, "The model is overloaded.", "server_error", "overloaded", "", it.value};
      },
      // Keys are between this server and its model: the client's is not to blame.
      [](const Error::Denied& it) {
        return Failure{502, it.value, "server_error", "endpoint_denied"};
      },
      [](const Error::Unreachable& it) {
        return Failure{502, it.value, "server_error", "endpoint_unreachable"};
      },
      [](const Error::TimedOut& it) {
        return Failure{504, it.value, "server_error", "endpoint_timeout"};
      },
      [](const Error::Failed& it) {
        return Failure{502, it.value, "server_error", "endpoint_failed"};
      });
}

std::string error_json(const Failure& failure) {
  return "{\"error\":{\"message\":" + written(failure.message) +
         ",\"type\":" + written(failure.type) + ",\"param\":" + or_null(failure.param) +
         ",\"code\":" + or_null(failure.code) + "}}";
}

std::string model_json(const llm::Model& model) {
  return "{\"id\":" + written(model.name) +
         ",\"object\":\"model\",\"created\":" + std::to_string(model.created.value_or(0)) +
         ",\"owned_by\":" + written(model.owner.value_or("unknown")) + "}";
}

std::string models_json(const std::vector<llm::Model>& models) {
  std::string out = R"({"object":"list","data":[)";
  for (const llm::Model& each : models) {
    if (out.back() != '[') out += ',';
    out += model_json(each);
  }
  return out + "]}";
}

Chat::Chat(std::string model)
    : id_(random_id()), created_(std::to_string(std::time(nullptr))), model_(std::move(model)) {}

std::string Chat::head(std::string_view object) const {
  return "{\"id\":" + written(id_) + ",\"object\":" + written(object) + ",\"created\":" + created_ +
         ",\"model\":" + written(model_);
}

std::string Chat::completion(std::string_view text, const llm::Summary& summary) const {
  return head("chat.completion") +
         R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)" + written(text) +
         "},\"logprobs\":null,\"finish_reason\":" + written(name_of(summary.finish)) +
         "}],\"usage\":" + usage_json(summary.usage) + "}";
}

std::string Chat::event(std::string_view delta, std::string_view reason, bool include_usage) const {
  return "data: " + head("chat.completion.chunk") +
         ",\"choices\":[{\"index\":0,\"delta\":" + std::string(delta) +
         ",\"finish_reason\":" + or_null(reason) + "}]" +
         (include_usage ? ",\"usage\":null}\n\n" : "}\n\n");
}

std::string Chat::begin_event(bool include_usage) const {
  return event(R"({"role":"assistant","content":""})", "", include_usage);
}

std::string Chat::text_event(std::string_view text, bool include_usage) const {
  return event("{\"content\":" + written(text) + "}", "", include_usage);
}

std::string Chat::finish_event(llm::FinishReason reason, bool include_usage) const {
  return event("{}", name_of(reason), include_usage);
}

std::string Chat::usage_event(const llm::Usage& usage) const {
  return "data: " + head("chat.completion.chunk") +
         ",\"choices\":[],\"usage\":" + usage_json(usage) + "}\n\n";
}
