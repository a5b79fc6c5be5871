#include "toolchain/bindgen/flat.h"

#include <algorithm>

namespace weft::bindgen {
namespace {

std::string flatten_in(const Types& types, const Interface& from,
                       const std::optional<TypeRef>& ref);

bool is_full(const std::string& flat) {
  return flat.size() > kFlatParamsMax;
}

std::string flatten_primitive(std::string_view name) {
  if (name == "string") return "ii";
  if (name == "u64" || name == "s64") return "l";
  if (name == "f32") return "f";
  if (name == "f64") return "d";
  return "i";
}

// Cases share their slots: a slot is what any of them can be put into.
void join(std::string& all, const std::string& one) {
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (i == all.size()) {
      all += one[i];
    } else if (all[i] != one[i]) {
      bool narrow = (all[i] == 'i' || all[i] == 'f') && (one[i] == 'i' || one[i] == 'f');
      all[i] = narrow ? 'i' : 'l';
    }
  }
}

std::string flatten_cases(const Types& types, const Interface& interface, const Type& type) {
  std::string payload;
  for (const Member& member : type.members) {
    join(payload, flatten_in(types, interface, member.type));
  }
  for (const auto& part : type.parts) join(payload, flatten_in(types, interface, part));
  return "i" + payload;
}

std::string flatten_all(const Types& types, const Interface& interface, const Type& type) {
  std::string flat;
  for (const Member& member : type.members) {
    if (is_full(flat)) break;
    flat += flatten_in(types, interface, member.type);
  }
  for (const auto& part : type.parts) {
    if (is_full(flat)) break;
    flat += flatten_in(types, interface, part);
  }
  return flat;
}

std::string flatten_in(const Types& types, const Interface& from,
                       const std::optional<TypeRef>& ref) {
  if (!ref) return {};
  auto [interface, type, primitive] = types.resolve(from, *ref);
  if (type == nullptr) return flatten_primitive(primitive);
  std::string flat;
  switch (type->kind) {
    case Kind::kRecord:
    case Kind::kTuple: flat = flatten_all(types, *interface, *type); break;
    case Kind::kVariant:
    case Kind::kOption:
    case Kind::kResult: flat = flatten_cases(types, *interface, *type); break;
    case Kind::kList:
    case Kind::kMap: flat = "ii"; break;
    case Kind::kFixedList:
      for (std::uint32_t i = 0; i < type->length && !is_full(flat); ++i) {
        flat += flatten_in(types, *interface, type->parts[0]);
      }
      break;
    default: flat = "i";
  }
  if (is_full(flat)) flat.resize(kFlatParamsMax + 1);
  return flat;
}

}  // namespace

std::string flatten(const Types& types, const std::optional<TypeRef>& ref) {
  return flatten_in(types, types.interface(), ref);
}

std::string_view core_type(char letter) {
  switch (letter) {
    case 'l': return "::std::uint64_t";
    case 'f': return "float";
    case 'd': return "double";
    default: return "::std::uint32_t";
  }
}

}  // namespace weft::bindgen
