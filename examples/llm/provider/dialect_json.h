// Boost.JSON as the dialects use it. For their sources alone.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "dialect.h"

namespace dialect {

namespace json = boost::json;

inline json::string text(std::string_view value) {
  return json::string(value.data(), value.size());
}

// An object, or why there is none.
inline Or<json::object> read_object(std::string_view body) {
  boost::system::error_code problem;
  json::value value = json::parse({body.data(), body.size()}, problem);
  if (problem || !value.is_object()) {
    return std::unexpected(llm::Error::failed("the endpoint: its answer is no JSON object"));
  }
  return std::move(value.get_object());
}

// A member of the kind that is expected; null when it is not that.
inline const json::object* object_in(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains({key.data(), key.size()});
  return value == nullptr ? nullptr : value->if_object();
}
inline const json::array* array_in(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains({key.data(), key.size()});
  return value == nullptr ? nullptr : value->if_array();
}
inline std::optional<std::string> text_in(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains({key.data(), key.size()});
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}
template <class T>
std::optional<T> whole_in(const json::object& from, std::string_view key) {
  const json::value* value = from.if_contains({key.data(), key.size()});
  if (value == nullptr) return std::nullopt;
  boost::system::error_code problem;
  T number = value->to_number<T>(problem);
  return problem ? std::nullopt : std::optional(number);
}

template <class T>
void put(json::object& into, std::string_view key, const std::optional<T>& value) {
  if (value) into[{key.data(), key.size()}] = *value;
}

inline json::array stops(const llm::Options& options) {
  json::array out;
  for (const std::string& each : options.stop) out.emplace_back(text(each));
  return out;
}

inline json::array messages(const llm::Request& request) {
  json::array out;
  for (const llm::Message& each : request.messages) {
    json::object message;
    message["role"] = text(to_string(each.role));
    message["content"] = text(each.content);
    out.push_back(std::move(message));
  }
  return out;
}

// What endpoints of either kind say within an answer that began well.
inline Or<void> no_error_in(const json::object& from) {
  const json::value* error = from.if_contains("error");
  if (error == nullptr || error->is_null()) return {};
  std::string what = "it failed";
  if (error->is_string()) what = std::string(error->get_string());
  if (error->is_object()) what = text_in(error->get_object(), "message").value_or(what);
  return std::unexpected(llm::Error::failed("the endpoint: " + what));
}

}  // namespace dialect
