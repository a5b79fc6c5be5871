// Ollama's own API: /api/chat, /api/tags and /api/show, an object a line.

#include <array>
#include <chrono>
#include <cstdio>

#include "dialect_json.h"

namespace {

namespace json = boost::json;
using namespace dialect;  // NOLINT: this file is one.

// "2023-11-04T14:56:49.277302595-07:00" as seconds since 1970.
std::optional<std::uint64_t> read_time(const std::optional<std::string>& written) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!written || std::sscanf(written->c_str(), "%4d-%2u-%2uT%2u:%2u:%2u", &year, &month, &day,
                              &hour, &minute, &second) != 6) {
    return std::nullopt;
  }
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                   std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  std::int64_t offset = 0;
  if (std::size_t at = written->find_first_of("+-", 19); at != written->npos) {
    int hours = 0, minutes = 0;
    if (std::sscanf(written->c_str() + at + 1, "%2d:%2d", &hours, &minutes) == 2) {
      offset = (hours * 60 + minutes) * (written->at(at) == '-' ? -60 : 60);
    }
  }
  std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  std::int64_t seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset;
  return seconds < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(seconds));
}

class Ollama final : public Dialect {
  HttpAsk chat(const llm::Request& request) const override {
    const llm::Options& wanted = request.options;
    json::object options;
    put(options, "temperature", wanted.temperature);
    put(options, "top_p", wanted.top_p);
    put(options, "top_k", wanted.top_k);
    put(options, "seed", wanted.seed);
    put(options, "num_predict", wanted.max_tokens);
    put(options, "presence_penalty", wanted.presence_penalty);
    put(options, "frequency_penalty", wanted.frequency_penalty);
    if (!wanted.stop.empty()) options["stop"] = stops(wanted);
    json::object body;
    body["model"] = text(request.model);
    body["messages"] = messages(request);
    body["stream"] = true;
    body["options"] = std::move(options);
    return {"POST", "/api/chat", json::serialize(body)};
  }

  HttpAsk list() const override { return {.path = "/api/tags"}; }

  HttpAsk show(std::string_view name) const override {
    json::object body;
    body["model"] = text(name);
    return {"POST", "/api/show", json::serialize(body)};
  }

  Or<void> read_line(std::string_view line, Progress& progress) const override {
    if (line.empty()) return {};
    auto event = read_object(line);
    if (!event) return std::unexpected(event.error());
    if (auto fine = no_error_in(*event); !fine) return fine;
    if (const json::object* message = object_in(*event, "message")) {
      progress.text += text_in(*message, "content").value_or("");
    }
    if (auto model = text_in(*event, "model")) progress.summary.model = *model;
    const json::value* done = event->if_contains("done");
    if (done == nullptr || !done->is_bool() || !done->get_bool()) return {};
    progress.finished = progress.over = true;
    if (text_in(*event, "done_reason") == "length") {
      progress.summary.finish = llm::FinishReason::kLength;
    }
    progress.summary.usage = {
        .prompt_tokens = whole_in<std::uint32_t>(*event, "prompt_eval_count").value_or(0),
        .completion_tokens = whole_in<std::uint32_t>(*event, "eval_count").value_or(0)};
    return {};
  }

  Or<std::vector<llm::Model>> read_list(std::string_view body) const override {
    auto root = read_object(body);
    if (!root) return std::unexpected(root.error());
    std::vector<llm::Model> models;
    const json::array* all = array_in(*root, "models");
    if (all == nullptr) return models;
    for (const json::value& each : *all) {
      const json::object* model = each.if_object();
      auto name = model == nullptr ? std::nullopt : text_in(*model, "name");
      if (name) models.push_back(model_of(*name, *model));
    }
    return models;
  }

  Or<llm::Details> read_show(std::string_view name, std::string_view body) const override {
    auto root = read_object(body);
    if (!root) return std::unexpected(root.error());
    llm::Details out{.model = model_of(std::string(name), *root)};
    if (const json::object* details = object_in(*root, "details")) {
      out.family = text_in(*details, "family");
      out.parameters = text_in(*details, "parameter_size");
      out.quantization = text_in(*details, "quantization_level");
    }
    if (const json::object* info = object_in(*root, "model_info")) {
      std::string family = text_in(*info, "general.architecture").value_or("");
      out.context_length = whole_in<std::uint32_t>(*info, family + ".context_length");
    }
    return out;
  }

  static llm::Model model_of(std::string name, const json::object& from) {
    return {.name = std::move(name),
            .created = read_time(text_in(from, "modified_at")),
            .owner = "library"};
  }
};

}  // namespace

std::unique_ptr<Dialect> make_ollama() {
  return std::make_unique<Ollama>();
}
