#include "values/difference.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft {
namespace {

using Kind = Type::Kind;

// What is said of the types where they differ: not all of them.
constexpr std::size_t kShownMax = 80;

std::string shown(const Type& type) {
  return type.kind == Kind::kNothing ? "nothing" : type.text(kShownMax);
}

std::string wanted_offered(const Type& wanted, const Type& offered) {
  return fmt::format("wanted {}, offered {}", shown(wanted), shown(offered));
}

// "field y" where the types are told apart by the names of their parts.
std::string_view word_for_part(Kind kind) {
  switch (kind) {
    case Kind::kRecord: return "field";
    case Kind::kVariant:
    case Kind::kEnum: return "case";
    case Kind::kFlags: return "flag";
    default: return "part";
  }
}

std::string name_of_part(const Type& type, std::size_t index) {
  if (index < type.names.size()) {
    return fmt::format("{} {}", word_for_part(type.kind), type.names[index]);
  }
  switch (type.kind) {
    case Kind::kResult: return index == 0 ? "ok" : "error";
    case Kind::kMap: return index == 0 ? "key" : "value";
    case Kind::kTuple: return fmt::format("element {}", index);
    default: return "element";
  }
}

std::optional<std::string> in_names(const Type& wanted, const Type& offered) {
  for (std::size_t i = 0; i < std::max(wanted.names.size(), offered.names.size()); ++i) {
    if (i >= offered.names.size()) {
      return fmt::format("{}: not offered", name_of_part(wanted, i));
    }
    if (i >= wanted.names.size()) {
      return fmt::format("{}: offered, and not wanted", name_of_part(offered, i));
    }
    if (wanted.names[i] != offered.names[i]) {
      return fmt::format("{}: offered is {}", name_of_part(wanted, i), offered.names[i]);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> difference(const Type& wanted, const Type& offered) {
  if (wanted.kind != offered.kind || wanted.length != offered.length) {
    return wanted_offered(wanted, offered);
  }
  // What a resource is called is each side's own affair.
  if (wanted.kind == Kind::kOwn || wanted.kind == Kind::kBorrow) return std::nullopt;
  if (auto names = in_names(wanted, offered)) return names;
  if (wanted.parts.size() != offered.parts.size()) return wanted_offered(wanted, offered);
  for (std::size_t i = 0; i < wanted.parts.size(); ++i) {
    auto inside = difference(wanted.parts[i], offered.parts[i]);
    if (!inside) continue;
    // "field y: wanted ..." and "field y, field z: wanted ...".
    bool deeper = !inside->starts_with("wanted ");
    return fmt::format("{}{}{}", name_of_part(wanted, i), deeper ? ", " : ": ", *inside);
  }
  return std::nullopt;
}

std::optional<std::string> difference(const Signature& wanted, const Signature& offered) {
  if (wanted.is_async != offered.is_async) {
    return fmt::format("wanted {}, offered {}", wanted.is_async ? "async func" : "func",
                       offered.is_async ? "async func" : "func");
  }
  std::size_t count = std::max(wanted.parameters.size(), offered.parameters.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (i >= offered.parameters.size()) {
      return fmt::format("parameter {}: not offered", wanted.parameters[i].name);
    }
    if (i >= wanted.parameters.size()) {
      return fmt::format("parameter {}: offered, and not wanted", offered.parameters[i].name);
    }
    const auto& [wanted_name, wanted_type] = wanted.parameters[i];
    const auto& [offered_name, offered_type] = offered.parameters[i];
    if (wanted_name != offered_name) {
      return fmt::format("parameter {}: offered is {}", wanted_name, offered_name);
    }
    if (auto inside = difference(wanted_type, offered_type)) {
      bool deeper = !inside->starts_with("wanted ");
      return fmt::format("parameter {}{}{}", wanted_name, deeper ? ", " : ": ", *inside);
    }
  }
  if (auto inside = difference(wanted.result, offered.result)) {
    return fmt::format("result{}{}", inside->starts_with("wanted ") ? ": " : ", ", *inside);
  }
  return std::nullopt;
}

}  // namespace weft
