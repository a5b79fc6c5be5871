// What clients of OpenAI's API are sent: its objects, as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat_request.h"

// A failure as the client sees it: its status, and the words of the API for it.
struct Failure {
  std::uint16_t status = 500;
  std::string message;
  std::string_view type = "server_error";
  std::string_view code;                     // Empty: null.
  std::string param;                         // Empty: null.
  std::optional<std::uint32_t> retry_after;  // Seconds.
};

Failure failure_of(const Refusal& refusal);
Failure failure_of(const llm::Error& error);
// {"error": {...}}
std::string error_json(const Failure& failure);

std::string model_json(const llm::Model& model);
std::string models_json(const std::vector<llm::Model>& models);

// One chat: what all of its objects have in common.
class Chat {
 public:
  explicit Chat(std::string model);

  // The whole answer.
  std::string completion(std::string_view text, const llm::Summary& summary) const;
  // The events of a stream: the first, a piece of text, the last piece, and the usage behind it.
  // With `include_usage` all others say that they have none.
  std::string begin_event(bool include_usage) const;
  std::string text_event(std::string_view text, bool include_usage) const;
  std::string finish_event(llm::FinishReason reason, bool include_usage) const;
  std::string usage_event(const llm::Usage& usage) const;

 private:
  std::string head(std::string_view object) const;
  std::string event(std::string_view delta, std::string_view reason, bool include_usage) const;

  std::string id_;
  std::string created_;
  std::string model_;
};
