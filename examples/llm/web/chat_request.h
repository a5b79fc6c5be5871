// What clients of OpenAI's API send to /v1/chat/completions.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "guest.hpp"

namespace llm = weft::wit::ollama::llm_1_0_0::llm;

// Why a request is not served, in the API's own terms: told to the client as status 400.
struct Refusal {
  std::string message;
  std::string param;  // The field that it is about; empty: the whole body.
};

struct ChatRequest {
  llm::Request asked;
  bool stream = false;
  bool include_usage = false;  // In a stream: one more chunk, with the usage.
};

// Fields that are not known are passed over; those that are known and ask for what is not served
// here (tools, several answers ...) are refused, because an answer without them would be another.
std::expected<ChatRequest, Refusal> read_chat_request(std::string_view body);
