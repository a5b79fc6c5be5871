// A stand-in for a model, as a component: it answers with what it was told last, a word at a time.
// For tests of what imports ollama:llm, without a process and without a network.

#include "guest.hpp"

namespace llm = weft::wit::ollama::llm_1_0_0::llm;

namespace {

constexpr std::string_view kName = "echo";

using End = std::expected<llm::Summary, llm::Error>;

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(' ', at + 1), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

weft::Task<> speak(llm::Request request, weft::StreamWriter<std::string> text,
                   weft::FutureWriter<End> end) {
  llm::Summary summary{.model = request.model, .finish = llm::FinishReason::kStop, .usage = {}};
  for (const llm::Message& each : request.messages) {
    summary.usage.prompt_tokens += static_cast<std::uint32_t>(words_of(each.content).size());
  }
  std::uint32_t& said = summary.usage.completion_tokens;
  std::uint32_t most = request.options.max_tokens.value_or(~std::uint32_t{0});
  for (std::string& word : words_of(request.messages.back().content)) {
    if (said == most) {
      summary.finish = llm::FinishReason::kLength;
      break;
    }
    ++said;
    if (!co_await text.write(std::move(word))) break;
  }
  text.finish();
  co_await end.set(summary);
}

}  // namespace

weft::Task<std::expected<llm::Reply, llm::Error>> llm::exports::chat(llm::Request request) {
  if (request.model != kName) {
    co_return std::unexpected(llm::Error::no_such_model(request.model));
  }
  if (request.messages.empty()) co_return std::unexpected(llm::Error::invalid("no messages"));
  auto [text, text_writer] = weft::Stream<std::string>::make();
  auto [end, end_writer] = weft::Future<End>::make();
  speak(std::move(request), std::move(text_writer), std::move(end_writer)).detach();
  co_return llm::Reply{.text = std::move(text), .end = std::move(end)};
}

weft::Task<std::expected<std::vector<llm::Model>, llm::Error>> llm::exports::list() {
  co_return std::vector{llm::Model{.name = std::string(kName), .created = 0, .owner = "stub"}};
}

weft::Task<std::expected<llm::Details, llm::Error>> llm::exports::show(std::string name) {
  if (name != kName) co_return std::unexpected(llm::Error::no_such_model(name));
  co_return llm::Details{.model = {.name = name, .created = 0, .owner = "stub"}};
}
