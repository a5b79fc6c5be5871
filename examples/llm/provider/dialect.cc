#include "dialect.h"

#include <fmt/format.h>

#include "dialect_json.h"

namespace {

// What the body of a failure says: {"error": "..."} or {"error": {"message": "..."}}.
std::string message_of(unsigned status, std::string_view body) {
  constexpr std::size_t kMessageMax = 1000;
  auto root = dialect::read_object(body);
  std::string message = fmt::format("the endpoint: status {}", status);
  if (!root) return message;
  if (auto fine = dialect::no_error_in(*root); !fine) {
    message = fine.error().as<llm::Error::Failed>()->value;
  }
  return message.size() > kMessageMax ? fmt::format("the endpoint: status {}", status) : message;
}

}  // namespace

std::unique_ptr<Dialect> make_dialect(std::string_view name) {
  if (name == "ollama") return make_ollama();
  if (name == "openai") return make_openai();
  return nullptr;
}

llm::Error error_of(unsigned status, std::optional<std::uint32_t> retry_after,
                    std::string_view model, std::string_view body) {
  switch (status) {
    case 400:
    case 413:
    case 422: return llm::Error::invalid(message_of(status, body));
    // Its own words for a wrong key may show a part of it.
    case 401:
    case 403: return llm::Error::denied("the endpoint does not accept this server's key");
    case 404: return llm::Error::no_such_model(std::string(model));
    case 408:
    case 504: return llm::Error::timed_out(message_of(status, body));
    case 429: return llm::Error::rate_limited(retry_after);
    case 503: return llm::Error::overloaded(retry_after);
    default: return llm::Error::failed(message_of(status, body));
  }
}
