#include "chat_request.h"

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "json.h"

namespace {

using json::Kind;
using json::Value;

constexpr std::size_t kStopsMax = 4;  // As the API has it.
// Whole numbers up to here are exact in JSON.
constexpr double kWholeMax = 9007199254740992;

// What the API has, and the interface does not. What comes to nothing there is let pass.
constexpr std::array<std::string_view, 10> kNotServed{
    "tools",      "functions", "tool_choice", "logprobs", "logit_bias",
    "prediction", "audio",     "modalities",  "store",    "web_search_options"};

bool comes_to_nothing(const Value& value) {
  if (value.kind == Kind::kText) return value.text == "none";
  return value.kind == Kind::kNull || (value.kind == Kind::kFlag && !value.flag) ||
         (value.items.empty() && value.kind != Kind::kFlag && value.kind != Kind::kNumber);
}

// Takes fields out of an object. The first one that is wrong is kept.
class Fields {
 public:
  explicit Fields(const Value& from) : from_(from) {}

  // Null where it is not there, or is null.
  const Value* find(std::string_view name) const {
    const Value* value = from_.find(name);
    return value == nullptr || value->kind == Kind::kNull ? nullptr : value;
  }
  std::optional<double> number(std::string_view name, double low, double high) {
    const Value* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (value->kind == Kind::kNumber && value->number >= low && value->number <= high) {
      return value->number;
    }
    return refuse(name, "must be a number from " + shown(low) + " to " + shown(high));
  }
  template <class T>
  std::optional<T> whole(std::string_view name, double low, double high) {
    auto value = number(name, low, high);
    if (!value) return std::nullopt;
    if (*value == std::floor(*value)) return static_cast<T>(*value);
    return refuse(name, "must be a whole number");
  }
  bool flag(std::string_view name) {
    const Value* value = find(name);
    if (value != nullptr && value->kind != Kind::kFlag) refuse(name, "must be true or false");
    return value != nullptr && value->flag;
  }

  std::nullopt_t refuse(std::string_view name, const std::string& why) {
    if (!refusal_) refusal_ = {"'" + std::string(name) + "' " + why + ".", std::string(name)};
    return std::nullopt;
  }
  const std::optional<Refusal>& refusal() const { return refusal_; }

 private:
  static std::string shown(double number) { return std::to_string(static_cast<long long>(number)); }

  const Value& from_;
  std::optional<Refusal> refusal_;
};

// A text, or a list of parts that are all text.
std::optional<std::string> read_content(const Value* content) {
  if (content == nullptr) return std::nullopt;
  if (content->kind == Kind::kText) return content->text;
  if (content->kind != Kind::kArray) return std::nullopt;
  std::string all;
  for (const Value& part : content->items) {
    const Value* type = part.find("type");
    const Value* text = part.find("text");
    if (type == nullptr || type->text != "text" || text == nullptr) return std::nullopt;
    if (text->kind != Kind::kText) return std::nullopt;
    all += text->text;
  }
  return all;
}

std::optional<llm::Role> read_role(const Value* role) {
  if (role == nullptr) return std::nullopt;
  if (role->text == "system" || role->text == "developer") return llm::Role::kSystem;
  if (role->text == "user") return llm::Role::kUser;
  if (role->text == "assistant") return llm::Role::kAssistant;
  return std::nullopt;
}

void read_messages(Fields& fields, std::vector<llm::Message>& out) {
  const Value* messages = fields.find("messages");
  if (messages == nullptr || messages->kind != Kind::kArray || messages->items.empty()) {
    fields.refuse("messages", "must be a list of at least one message");
    return;
  }
  for (std::size_t i = 0; i < messages->items.size(); ++i) {
    const Value& message = messages->items[i];
    std::string name = "messages[" + std::to_string(i) + "]";
    auto role = read_role(message.find("role"));
    auto content = read_content(message.find("content"));
    if (!role) fields.refuse(name + ".role", "must be system, developer, user or assistant");
    if (!content) fields.refuse(name + ".content", "must be a text, or a list of parts of text");
    if (role && content) out.push_back({*role, *std::move(content)});
  }
}

void read_stop(Fields& fields, std::vector<std::string>& out) {
  const Value* stop = fields.find("stop");
  if (stop == nullptr) return;
  if (stop->kind == Kind::kText) return out.push_back(stop->text);
  bool good = stop->kind == Kind::kArray && stop->items.size() <= kStopsMax;
  for (const Value& each : stop->items) {
    good = good && each.kind == Kind::kText;
    out.push_back(each.text);
  }
  if (!good) {
    fields.refuse("stop", "must be a text or a list of at most " + std::to_string(kStopsMax));
  }
}

void refuse_what_is_not_served(Fields& fields) {
  for (std::string_view name : kNotServed) {
    const Value* value = fields.find(name);
    if (value != nullptr && !comes_to_nothing(*value)) fields.refuse(name, "is not served here");
  }
  if (auto count = fields.number("n", 1, 128); count && *count != 1) {
    fields.refuse("n", "must be 1: there is one answer");
  }
  if (const Value* format = fields.find("response_format")) {
    const Value* type = format->find("type");
    if (type == nullptr || type->text != "text") {
      fields.refuse("response_format", "must be of type text");
    }
  }
}

}  // namespace

std::expected<ChatRequest, Refusal> read_chat_request(std::string_view body) {
  auto root = json::parse(body);
  if (!root) return std::unexpected(Refusal{"The body is not JSON: " + root.error(), ""});
  if (root->kind != Kind::kObject) return std::unexpected(Refusal{"The body is no object.", ""});
  Fields fields(*root);
  ChatRequest out;
  const Value* model = fields.find("model");
  if (model == nullptr || model->kind != Kind::kText || model->text.empty()) {
    fields.refuse("model", "must be the name of a model");
  } else {
    out.asked.model = model->text;
  }
  read_messages(fields, out.asked.messages);

  constexpr double kCountMax = std::numeric_limits<std::uint32_t>::max();
  llm::Options& options = out.asked.options;
  options.temperature = fields.number("temperature", 0, 2);
  options.top_p = fields.number("top_p", 0, 1);
  options.top_k = fields.whole<std::uint32_t>("top_k", 1, kCountMax);  // Not OpenAI's, but usual.
  options.seed = fields.whole<std::int64_t>("seed", -kWholeMax, kWholeMax);
  options.presence_penalty = fields.number("presence_penalty", -2, 2);
  options.frequency_penalty = fields.number("frequency_penalty", -2, 2);
  // The new name wins over the old one.
  options.max_tokens = fields.whole<std::uint32_t>("max_completion_tokens", 1, kCountMax);
  auto old_max = fields.whole<std::uint32_t>("max_tokens", 1, kCountMax);
  if (!options.max_tokens) options.max_tokens = old_max;
  read_stop(fields, options.stop);

  out.stream = fields.flag("stream");
  if (const Value* more = fields.find("stream_options")) {
    Fields inner(*more);
    out.include_usage = inner.flag("include_usage");
    if (inner.refusal()) fields.refuse("stream_options.include_usage", "must be true or false");
    if (!out.stream) fields.refuse("stream_options", "is for streams: set 'stream' to true");
  }
  refuse_what_is_not_served(fields);
  if (fields.refusal()) return std::unexpected(*fields.refusal());
  return out;
}
