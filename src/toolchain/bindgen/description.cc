#include "toolchain/bindgen/description.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <stdexcept>

namespace weft::bindgen {
namespace {

namespace json = boost::json;

struct KindName {
  std::string_view name;
  Kind kind;
};
constexpr KindName kKinds[] = {
    {"record", Kind::kRecord}, {"variant", Kind::kVariant},   {"enum", Kind::kEnum},
    {"flags", Kind::kFlags},   {"tuple", Kind::kTuple},       {"option", Kind::kOption},
    {"result", Kind::kResult}, {"list", Kind::kList},         {"fixed-list", Kind::kFixedList},
    {"map", Kind::kMap},       {"resource", Kind::kResource}, {"own", Kind::kOwn},
    {"borrow", Kind::kBorrow}, {"stream", Kind::kStream},     {"future", Kind::kFuture},
    {"alias", Kind::kAlias},
};

// The description comes from a program of ours: what does not fit throws here, and one wall around
// all of it makes a failure of it.
std::string text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return {};
  return std::string(value->as_string());
}

std::uint32_t number(const json::object& object, std::string_view key) {
  return object.at(key).to_number<std::uint32_t>();
}

std::optional<TypeRef> type_ref(const json::value* value) {
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_string()) return TypeRef{.primitive = std::string(value->as_string())};
  return TypeRef{.primitive = {}, .id = number(value->as_object(), "id")};
}

std::vector<Member> members(const json::object& object, std::string_view key) {
  std::vector<Member> members;
  for (const json::value& value : object.at(key).as_array()) {
    if (value.is_string()) {
      members.push_back({std::string(value.as_string()), std::nullopt});
    } else {
      const json::object& member = value.as_object();
      members.push_back({text(member, "name"), type_ref(member.if_contains("type"))});
    }
  }
  return members;
}

Type type(const json::object& object) {
  Type type;
  type.id = number(object, "id");
  type.name = text(object, "name");
  type.owner = text(object, "owner");
  type.original = text(object, "original");
  std::string kind = text(object, "kind");
  const KindName* known = nullptr;
  for (const KindName& each : kKinds) {
    if (each.name == kind) known = &each;
  }
  if (known == nullptr) throw std::runtime_error("a type of kind '" + kind + "'");
  type.kind = known->kind;
  switch (type.kind) {
    case Kind::kRecord: type.members = members(object, "fields"); break;
    case Kind::kVariant:
    case Kind::kEnum: type.members = members(object, "cases"); break;
    case Kind::kFlags: type.members = members(object, "flags"); break;
    case Kind::kTuple:
      for (const json::value& part : object.at("types").as_array()) {
        type.parts.push_back(type_ref(&part));
      }
      break;
    case Kind::kResult:
      type.parts = {type_ref(object.if_contains("ok")), type_ref(object.if_contains("err"))};
      break;
    case Kind::kMap:
      type.parts = {type_ref(object.if_contains("key")), type_ref(object.if_contains("value"))};
      break;
    case Kind::kFixedList: type.length = number(object, "length"); [[fallthrough]];
    case Kind::kOption:
    case Kind::kList:
    case Kind::kStream:
    case Kind::kFuture:
    case Kind::kAlias: type.parts = {type_ref(object.if_contains("type"))}; break;
    case Kind::kOwn:
    case Kind::kBorrow: type.resource = number(object, "resource"); break;
    case Kind::kResource: break;
  }
  return type;
}

Function function(const json::object& object) {
  Function function;
  function.name = text(object, "name");
  std::string kind = text(object, "kind");
  if (kind == "method") function.kind = FunctionKind::kMethod;
  if (kind == "static") function.kind = FunctionKind::kStatic;
  if (kind == "constructor") function.kind = FunctionKind::kConstructor;
  function.resource = text(object, "resource");
  function.async = object.at("async").as_bool();
  function.params = members(object, "params");
  function.result = type_ref(object.if_contains("result"));
  function.signature = text(object, "signature");
  return function;
}

// Every number names an entry of the list, a type only ones before it, and a used type is there in
// an interface before: nobody has to ask again, and nothing goes round in circles.
void check(const Interface& interface, const Description& before) {
  auto known = [&](const std::optional<TypeRef>& ref, std::size_t end) {
    if (ref && !ref->is_primitive() && ref->id >= end) {
      throw std::runtime_error(fmt::format("{} has no type {} there", interface.name, ref->id));
    }
  };
  for (std::size_t i = 0; i < interface.types.size(); ++i) {
    const Type& each = interface.types[i];
    if (each.id != i) throw std::runtime_error(interface.name + ": types are not in order");
    for (const Member& member : each.members) known(member.type, i);
    for (const auto& part : each.parts) known(part, i);
    if (each.kind == Kind::kOwn || each.kind == Kind::kBorrow) {
      known(TypeRef{.primitive = {}, .id = each.resource}, i);
    }
    if (each.kind != Kind::kAlias || (each.owner == interface.name && each.parts[0])) continue;
    const Interface* owner = before.find(each.owner);
    bool found = owner != nullptr && std::ranges::any_of(owner->types, [&](const Type& type) {
                   return type.name == each.original;
                 });
    if (!found) {
      throw std::runtime_error(fmt::format("{} uses {} of {}, which is not described before it",
                                           interface.name, each.original, each.owner));
    }
  }
  for (const Function& each : interface.functions) {
    for (const Member& param : each.params) known(param.type, interface.types.size());
    known(each.result, interface.types.size());
  }
}

std::vector<std::string> names(const json::object& object, std::string_view key,
                               const Description& known) {
  std::vector<std::string> names;
  for (const json::value& value : object.at(key).as_array()) {
    std::string name(value.as_string());
    if (known.find(name) == nullptr) throw std::runtime_error(name + " is not described");
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

World world(const json::object& object, const Description& known) {
  World world{text(object, "name"), names(object, "imports", known),
              names(object, "exports", known), text(object, "encoded")};
  auto is_hex = [](unsigned char c) { return std::isxdigit(c) != 0; };
  if (world.encoded.size() % 2 != 0 || !std::ranges::all_of(world.encoded, is_hex)) {
    throw std::runtime_error("a world's encoding is not hex");
  }
  return world;
}

// What a world writes between braces has a name in that world only.
void name_inline_interfaces(Description& description) {
  for (const World& world : description.worlds) {
    for (Interface& each : description.interfaces) {
      bool is_inline = each.name != kRoot && each.name.find(':') == std::string::npos;
      if (is_inline && each.interface == each.name) each.interface = world.name + "-" + each.name;
    }
  }
}

}  // namespace

std::string_view Function::plain_name() const {
  std::string_view plain = name;
  if (std::size_t bracket = plain.find(']'); bracket != plain.npos) {
    plain.remove_prefix(bracket + 1);
  }
  if (std::size_t dot = plain.find('.'); dot != plain.npos) plain.remove_prefix(dot + 1);
  return plain;
}

bool World::has_import(std::string_view interface) const {
  return std::ranges::find(imports, interface) != imports.end();
}

bool World::has_export(std::string_view interface) const {
  return std::ranges::find(exports, interface) != exports.end();
}

const Interface* Description::find(std::string_view name) const {
  for (const Interface& interface : interfaces) {
    if (interface.name == name) return &interface;
  }
  return nullptr;
}

Result<Description> parse_description(std::string_view input) {
  try {
    Description description;
    json::value root = json::parse(json::string_view(input.data(), input.size()));
    for (const json::value& value : root.as_object().at("interfaces").as_array()) {
      const json::object& object = value.as_object();
      Interface interface;
      interface.name = text(object, "name");
      interface.package = text(object, "package");
      interface.interface = text(object, "interface");
      interface.version = text(object, "version");
      for (const json::value& each : object.at("types").as_array()) {
        interface.types.push_back(type(each.as_object()));
      }
      for (const json::value& each : object.at("functions").as_array()) {
        interface.functions.push_back(function(each.as_object()));
      }
      if (const json::value* imported = object.if_contains("imported")) {
        interface.imported = imported->to_number<std::uint32_t>();
      }
      check(interface, description);
      description.interfaces.push_back(std::move(interface));
    }
    if (const json::value* worlds = root.as_object().if_contains("worlds")) {
      for (const json::value& each : worlds->as_array()) {
        description.worlds.push_back(world(each.as_object(), description));
      }
    }
    name_inline_interfaces(description);
    return description;
  } catch (const std::exception& exception) {
    return failure(Errc::kInvalid, fmt::format("not a description of WIT as weft-wit prints it: {}",
                                               exception.what()));
  }
}

}  // namespace weft::bindgen
