// OpenAI's API, as many servers have it: /chat/completions and /models below the URL, which ends in
// /v1 as a rule. Answers come as server-sent events.

#include <fmt/format.h>

#include "dialect_json.h"

namespace {

namespace json = boost::json;
using namespace dialect;  // NOLINT: this file is one.

// A name in a path. Slashes stay: names such as "team/model" have them, and servers take them so.
std::string in_path(std::string_view name) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:";
  std::string out;
  for (char c : name) {
    if (kPlain.contains(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

class OpenAi final : public Dialect {
  HttpAsk chat(const llm::Request& request) const override {
    const llm::Options& wanted = request.options;
    json::object body;
    body["model"] = text(request.model);
    body["messages"] = messages(request);
    body["stream"] = true;
    json::object stream_options;
    stream_options["include_usage"] = true;
    body["stream_options"] = std::move(stream_options);
    put(body, "temperature", wanted.temperature);
    put(body, "top_p", wanted.top_p);
    put(body, "top_k", wanted.top_k);  // Not in OpenAI's own, but in most that speak it.
    put(body, "seed", wanted.seed);
    put(body, "max_tokens", wanted.max_tokens);
    put(body, "presence_penalty", wanted.presence_penalty);
    put(body, "frequency_penalty", wanted.frequency_penalty);
    if (!wanted.stop.empty()) body["stop"] = stops(wanted);
    return {"POST", "/chat/completions", json::serialize(body)};
  }

  HttpAsk list() const override { return {.path = "/models"}; }
  HttpAsk show(std::string_view name) const override {
    return {.path = "/models/" + in_path(name)};
  }

  Or<void> read_line(std::string_view line, Progress& progress) const override {
    constexpr std::string_view kData = "data:";
    if (!line.starts_with(kData)) return {};  // Comments, empty lines and other fields.
    line.remove_prefix(kData.size());
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (line == "[DONE]") {
      progress.over = true;
      return {};
    }
    auto event = read_object(line);
    if (!event) return std::unexpected(event.error());
    if (auto fine = no_error_in(*event); !fine) return fine;
    if (auto model = text_in(*event, "model")) progress.summary.model = *model;
    if (const json::object* usage = object_in(*event, "usage")) {
      progress.summary.usage = {
          .prompt_tokens = whole_in<std::uint32_t>(*usage, "prompt_tokens").value_or(0),
          .completion_tokens = whole_in<std::uint32_t>(*usage, "completion_tokens").value_or(0)};
    }
    const json::array* choices = array_in(*event, "choices");
    const json::object* choice =
        choices == nullptr || choices->empty() ? nullptr : choices->front().if_object();
    if (choice == nullptr) return {};
    if (const json::object* delta = object_in(*choice, "delta")) {
      progress.text += text_in(*delta, "content").value_or("");
    }
    if (auto reason = text_in(*choice, "finish_reason")) {
      progress.finished = true;
      if (*reason == "length") progress.summary.finish = llm::FinishReason::kLength;
      if (*reason == "content_filter") progress.summary.finish = llm::FinishReason::kContentFilter;
    }
    return {};
  }

  Or<std::vector<llm::Model>> read_list(std::string_view body) const override {
    auto root = read_object(body);
    if (!root) return std::unexpected(root.error());
    std::vector<llm::Model> models;
    const json::array* all = array_in(*root, "data");
    if (all == nullptr) return models;
    for (const json::value& each : *all) {
      const json::object* model = each.if_object();
      if (model != nullptr && text_in(*model, "id")) models.push_back(model_of(*model));
    }
    return models;
  }

  Or<llm::Details> read_show(std::string_view name, std::string_view body) const override {
    auto root = read_object(body);
    if (!root) return std::unexpected(root.error());
    llm::Details out{.model = model_of(*root)};
    if (out.model.name.empty()) out.model.name = name;
    return out;
  }

  static llm::Model model_of(const json::object& from) {
    return {.name = text_in(from, "id").value_or(""),
            .created = whole_in<std::uint64_t>(from, "created"),
            .owner = text_in(from, "owned_by")};
  }
};

}  // namespace

std::unique_ptr<Dialect> make_openai() {
  return std::make_unique<OpenAi>();
}
