#include "toolchain/bindgen/types.h"

#include <fmt/format.h>

#include "base/check.h"
#include "toolchain/bindgen/names.h"

namespace weft::bindgen {
namespace {

std::string spell_primitive(std::string_view name, Form form) {
  if (name == "string") {
    bool view = form == Form::kView || form == Form::kViewHandles;
    return view ? "::std::string_view" : "::std::string";
  }
  if (name == "bool") return "bool";
  if (name == "f32") return "float";
  if (name == "f64") return "double";
  if (name == "char") return "char32_t";
  std::string_view bits = name.substr(1);
  return fmt::format("::std::{}int{}_t", name[0] == 'u' ? "u" : "", bits);
}

bool is_view(Form form) {
  return form == Form::kView || form == Form::kViewHandles;
}
bool has_handles(Form form) {
  return form == Form::kOwnedHandles || form == Form::kViewHandles;
}

bool is_named(const Type& type) {
  return type.kind == Kind::kRecord || type.kind == Kind::kVariant || type.kind == Kind::kEnum ||
         type.kind == Kind::kFlags;
}

}  // namespace

std::string_view pipe_of(const Interface& interface, const Type& type) {
  if (type.kind != Kind::kResource || !interface.name.starts_with("wasi:io/streams@")) return {};
  if (type.name == "input-stream") return "::weft::InputPipe";
  if (type.name == "output-stream") return "::weft::OutputPipe";
  return {};
}

Types::Resolved Types::resolve(const Interface& interface, const TypeRef& ref) const {
  if (ref.is_primitive()) return {&interface, nullptr, ref.primitive};
  const Type& type = interface.types[ref.id];
  if (type.kind != Kind::kAlias) return {&interface, &type, {}};
  if (type.owner == interface.name && type.parts[0]) return resolve(interface, *type.parts[0]);
  const Interface* owner = description_.find(type.owner);
  CHECK(owner != nullptr);
  for (const Type& each : owner->types) {
    if (each.name == type.original) return resolve(*owner, TypeRef{.primitive = {}, .id = each.id});
  }
  CHECK(false);
  return {};
}

std::string Types::name(const Interface& interface, const Type& type) const {
  std::string name = pascal_case(type.name);
  if (names_ == Names::kShort) {
    if (&interface == &interface_) return name;
    for (const Type& used : interface_.types) {
      if (used.kind == Kind::kAlias && used.owner == interface.name && used.original == type.name) {
        return pascal_case(used.name);
      }
    }
  }
  bool implemented = side_ == Side::kExport && is_exported(interface) && is_sided(interface, type);
  return fmt::format("::{}::{}{}", namespace_of(interface), implemented ? "exports::" : "", name);
}

bool Types::is_exported(const Interface& interface) const {
  return !description_.worlds.empty() && description_.worlds.front().has_export(interface.name);
}

bool Types::is_sided(const Interface& interface, const Type& type) const {
  auto resolved = resolve(interface, TypeRef{.primitive = {}, .id = type.id});
  if (resolved.type == nullptr) return false;
  return resolved.type->kind == Kind::kResource ||
         contains(*resolved.interface, TypeRef{.primitive = {}, .id = resolved.type->id},
                  Look::kResources);
}

std::string Types::spell_optional(const Interface& interface, const std::optional<TypeRef>& ref,
                                  Form form, const char* absent) const {
  return ref ? spell(interface, *ref, form) : absent;
}

std::string Types::spell_result(const std::optional<TypeRef>& ref, Form form) const {
  return spell_optional(interface_, ref, form, "void");
}

std::string Types::spell(const Interface& from, const TypeRef& ref, Form form) const {
  auto [interface, type, primitive] = resolve(from, ref);
  if (type == nullptr) return spell_primitive(primitive, form);
  auto part = [&](std::size_t index) { return spell(*interface, *type->parts[index], form); };
  switch (type->kind) {
    case Kind::kTuple: {
      std::string parts;
      for (std::size_t i = 0; i < type->parts.size(); ++i) parts += (i == 0 ? "" : ", ") + part(i);
      return fmt::format("::std::tuple<{}>", parts);
    }
    case Kind::kOption: return fmt::format("::std::optional<{}>", part(0));
    case Kind::kResult:
      return fmt::format("::std::expected<{}, {}>",
                         spell_optional(*interface, type->parts[0], form, "void"),
                         spell_optional(*interface, type->parts[1], form, "::weft::Nothing"));
    case Kind::kList: return spell_list(*interface, *type, form);
    case Kind::kFixedList: return fmt::format("::std::array<{}, {}>", part(0), type->length);
    case Kind::kMap: return fmt::format("::std::vector<::std::tuple<{}, {}>>", part(0), part(1));
    case Kind::kOwn:
    case Kind::kBorrow: return spell_handle(*interface, *type, form);
    case Kind::kStream:
    case Kind::kFuture:
      return fmt::format("::weft::{}<{}>", type->kind == Kind::kStream ? "Stream" : "Future",
                         spell_optional(*interface, type->parts[0], Form::kOwned, ""));
    default: return name(*interface, *type);
  }
}

std::string Types::spell_list(const Interface& interface, const Type& type, Form form) const {
  std::string element = spell(interface, *type.parts[0], form);
  std::string primitive = resolve(interface, *type.parts[0]).primitive;
  if (side_ == Side::kHost && primitive == "u8") {
    return is_view(form) ? "::weft::BytesView" : "::weft::Bytes";
  }
  // The host's numbers are packed on the wire; a guest's lie in its memory as C++ has them.
  bool plain = !primitive.empty() && primitive != "string" && primitive != "bool";
  if (side_ != Side::kHost && is_view(form) && plain) {
    return fmt::format("::std::span<const {}>", element);
  }
  return fmt::format("::std::vector<{}>", element);
}

std::string Types::spell_handle(const Interface& interface, const Type& type, Form form) const {
  auto target = resolve(interface, TypeRef{.primitive = {}, .id = type.resource});
  bool own = type.kind == Kind::kOwn;
  std::string resource = name(*target.interface, *target.type);
  if (side_ == Side::kHost) {
    if (auto pipe = pipe_of(*target.interface, *target.type); !pipe.empty()) {
      return std::string(pipe);
    }
    if (has_handles(form)) {
      return own ? fmt::format("::weft::Handle<{}>", resource)
                 : fmt::format("const ::weft::Handle<{}>*", resource);
    }
    return own ? fmt::format("::std::unique_ptr<{}>", resource) : resource + "*";
  }
  if (side_ == Side::kImport) return own ? resource : fmt::format("const {}*", resource);
  // What an export is lent of another component's is a handle too, which it lets go of.
  if (!is_exported(*target.interface)) return resource;
  return own ? fmt::format("::std::unique_ptr<{}>", resource) : resource + "*";
}

std::string Types::spell_param(const TypeRef& ref, Form form) const {
  std::string spelled = spell(ref, form);
  if (is_borrow(ref)) {
    if (!spelled.ends_with('*')) return "const " + spelled + "&";
    spelled.back() = '&';
    return spelled;
  }
  if (side_ != Side::kImport || form != Form::kView || carries_handles(ref)) return spelled;
  Resolved resolved = resolve(ref);
  bool small = resolved.type == nullptr || resolved.type->kind == Kind::kEnum ||
               resolved.type->kind == Kind::kFlags || spelled.starts_with("::std::span<");
  return small ? spelled : fmt::format("const {}&", spelled);
}

bool Types::lends(const TypeRef& ref, Lent what) const {
  Resolved resolved = resolve(ref);
  if (resolved.type == nullptr || resolved.type->kind != Kind::kBorrow) return false;
  auto target =
      resolve(*resolved.interface, TypeRef{.primitive = {}, .id = resolved.type->resource});
  bool pipe = side_ == Side::kHost && !pipe_of(*target.interface, *target.type).empty();
  return pipe == (what == Lent::kStream);
}

bool Types::contains(const Interface& from, const std::optional<TypeRef>& ref, Look look) const {
  if (!ref) return false;
  auto [interface, type, primitive] = resolve(from, *ref);
  if (type == nullptr) return false;
  switch (type->kind) {
    case Kind::kOwn:
    case Kind::kBorrow: {
      if (look == Look::kAnyHandle) return true;
      auto target = resolve(*interface, TypeRef{.primitive = {}, .id = type->resource});
      return side_ != Side::kHost || pipe_of(*target.interface, *target.type).empty();
    }
    case Kind::kStream:
    case Kind::kFuture: return look == Look::kAnyHandle;
    default: break;
  }
  for (const Member& member : type->members) {
    if (contains(*interface, member.type, look)) return true;
  }
  for (const auto& part : type->parts) {
    if (contains(*interface, part, look)) return true;
  }
  return false;
}

bool Types::carries_handles(const std::optional<TypeRef>& ref) const {
  return carries_handles(interface_, ref);
}

bool Types::carries_handles(const Interface& from, const std::optional<TypeRef>& ref) const {
  return contains(from, ref, Look::kAnyHandle);
}

bool Types::hides(const Interface& from, const std::optional<TypeRef>& ref) const {
  if (!ref) return false;
  auto [interface, type, primitive] = resolve(from, *ref);
  if (type == nullptr) return false;
  if (is_named(*type)) return contains(from, ref, Look::kResources);
  for (const auto& part : type->parts) {
    if (hides(*interface, part)) return true;
  }
  return false;
}

bool Types::hides_resources(const std::optional<TypeRef>& ref) const {
  return hides(interface_, ref);
}

}  // namespace weft::bindgen
