#include "observe/spy_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "base/json_text.h"
#include "base/shown_text.h"
#include "door/codec.h"
#include "values/call_values.h"

namespace weft {
namespace {

namespace json = boost::json;

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      auto [end, problem] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
      if (problem == std::errc() && end == text.data() + i + 3) {
        out += static_cast<char>(byte);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string encoded(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::int64_t number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

}  // namespace

const Signature* SpyLines::signature_of(const std::string& text) {
  auto known = signatures_.find(text);
  if (known != signatures_.end()) return &known->second;
  auto parsed = parse_signature(text);
  if (!parsed) return nullptr;
  if (signatures_.size() >= kSpiedSignaturesMax) signatures_.clear();
  return &signatures_.emplace(text, *std::move(parsed)).first->second;
}

std::string SpyLines::line(const SpiedCall& call) {
  using std::chrono::duration_cast;
  auto ms = duration_cast<std::chrono::milliseconds>(call.ended.time_since_epoch()).count();
  auto us = duration_cast<std::chrono::microseconds>(call.time).count();
  std::string out = fmt::format("{{\"ms\":{},\"us\":{}", ms, us);
  append_json_member(out, "app", call.app);
  append_json_member(out, "component", call.component);
  append_json_member(out, "by", call.by);
  append_json_member(out, "interface", call.interface);
  append_json_member(out, "function", call.name);
  const Signature* signature = signature_of(call.signature);
  auto value = [&](std::string_view key, const std::optional<Bytes>& bytes, auto to_text) {
    if (!bytes || signature == nullptr) return;
    auto text = to_text(*signature, *bytes);
    if (text && !text->empty())
      append_json_member(out, key, cut_text(*std::move(text), kSpiedTextMax));
  };
  value("args", call.arguments, arguments_to_text);
  if (call.cancelled) {
    append_json_member(out, "error", to_string(Errc::kCancelled));
  } else if (call.error) {
    append_json_member(out, "error", to_string(call.error->code()));
    // A failure's message may quote a value.
    const std::string& message = call.error->message();
    if (call.arguments && is_utf8(message))
      append_json_member(out, "message", cut_text(message, kSpiedTextMax));
  } else {
    value("result", call.reply, result_to_text);
  }
  return out + "}\n";
}

SpyFilter SpyFilter::of_query(std::string_view query) {
  SpyFilter filter;
  while (!query.empty()) {
    std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    std::size_t cut = part.find('=');
    if (cut == part.npos) continue;
    std::string value = decoded(part.substr(cut + 1));
    std::string_view key = part.substr(0, cut);
    if (key == "app") {
      filter.app = std::move(value);
    } else if (key == "component") {
      filter.component = std::move(value);
    } else if (key == "interface") {
      filter.interface = std::move(value);
    }
  }
  return filter;
}

std::string SpyFilter::query() const {
  std::string out;
  auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out += fmt::format("{}{}={}", out.empty() ? "?" : "&", key, encoded(value));
  };
  add("app", app);
  add("component", component);
  add("interface", interface);
  return out;
}

bool SpyFilter::takes(const SpiedCall& call) const {
  if (!app.empty() && app != call.app) return false;
  if (!component.empty() && component != call.component) return false;
  if (interface.empty() || interface == call.interface) return true;
  return interface == std::string_view(call.interface).substr(0, call.interface.find('@'));
}

Result<std::string> spy_text(std::string_view line) {
  if (line.empty()) return std::string();
  boost::system::error_code problem;
  json::value value = json::parse(json::string_view(line.data(), line.size()), problem);
  if (problem || !value.is_object()) {
    return failure(Errc::kCorrupt, "the host answers with what is no line of calls");
  }
  const json::object& call = value.get_object();
  if (std::int64_t lost = number_of(call, "lost"); lost > 0) {
    return fmt::format("({} call{} not shown: more than can be told)", lost, lost == 1 ? "" : "s");
  }
  std::int64_t ms = std::max<std::int64_t>(number_of(call, "ms"), 0) % 86'400'000;
  std::string interface = text_of(call, "interface");
  std::string arguments = call.contains("args") ? text_of(call, "args") : "(...)";
  std::string out = fmt::format("{:02}:{:02}:{:02}.{:03} {}/{} -> {}: {}{}{}{}", ms / 3'600'000,
                                ms / 60'000 % 60, ms / 1'000 % 60, ms % 1'000, text_of(call, "app"),
                                text_of(call, "component"), text_of(call, "by"), interface,
                                interface.empty() ? "" : "#", text_of(call, "function"), arguments);
  if (call.contains("error")) {
    std::string message = text_of(call, "message");
    out += fmt::format(" failed: {}{}{}", text_of(call, "error"), message.empty() ? "" : ": ",
                       message);
  } else if (call.contains("result")) {
    out += fmt::format(" -> {}", text_of(call, "result"));
  }
  out += fmt::format(" [{:.3f} ms]", static_cast<double>(number_of(call, "us")) / 1000);
  std::string shown = without_controls(out);
  // One line each, whatever a message has in it.
  for (char& c : shown) {
    if (c == '\n') c = ' ';
  }
  return shown;
}

}  // namespace weft
