#include <fmt/format.h>

#include <boost/json.hpp>

#include "capabilities/config/source.h"
#include "door/codec.h"

namespace weft::config {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 16;

class Flattener {
 public:
  Result<Values> flatten(const json::object& object) {
    TRY_VOID(add(object, "", 0));
    return std::move(values_);
  }

 private:
  Result<void> add(const json::object& object, const std::string& prefix, std::size_t depth) {
    if (depth > kDepthMax) {
      return failure(Errc::kLimit, fmt::format("objects lie more than {} deep", kDepthMax));
    }
    for (const auto& [name, value] : object) {
      std::string key = prefix + std::string(name);
      if (const json::object* inner = value.if_object()) {
        TRY_VOID(add(*inner, key + ".", depth + 1));
      } else if (const json::string* text = value.if_string()) {
        values_.insert_or_assign(std::move(key), std::string(text->data(), text->size()));
      } else if (!value.is_null()) {
        values_.insert_or_assign(std::move(key), json::serialize(value));
      }
    }
    return {};
  }

  Values values_;
};

}  // namespace

Result<Values> parse_json(std::string_view text) {
  if (!is_utf8(text)) return failure(Errc::kCorrupt, "it is not UTF-8");
  json::parse_options options;
  options.max_depth = kDepthMax;
  boost::system::error_code problem;
  json::value value =
      json::parse(json::string_view(text.data(), text.size()), problem, {}, options);
  if (problem) return failure(Errc::kCorrupt, fmt::format("it is no JSON: {}", problem.message()));
  const json::object* object = value.if_object();
  if (object == nullptr) return failure(Errc::kCorrupt, "it is no JSON object");
  return Flattener().flatten(*object);
}

}  // namespace weft::config
