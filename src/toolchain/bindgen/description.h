#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weft::bindgen {

// WIT as `weft-wit describe` prints it: interfaces, each after those whose types it uses. Plain
// data.

// A primitive type by name, or the number of an entry in its interface's list of types.
struct TypeRef {
  std::string primitive;
  std::uint32_t id = 0;
  bool is_primitive() const { return !primitive.empty(); }
};

// A field, a case, a flag, a parameter. Cases may have no type, enum cases and flags never do.
struct Member {
  std::string name;
  std::optional<TypeRef> type;
};

enum class Kind : std::uint8_t {
  kRecord,
  kVariant,
  kEnum,
  kFlags,
  kTuple,
  kOption,
  kResult,
  kList,
  kFixedList,
  kMap,
  kResource,
  kOwn,
  kBorrow,
  kStream,
  kFuture,
  kAlias,
};

struct Type {
  std::uint32_t id = 0;
  Kind kind = Kind::kRecord;
  std::string name;      // empty: it has none
  std::string owner;     // the interface whose type it is
  std::string original;  // kAlias: its name there
  std::vector<Member> members;
  // The types it is made of: a tuple's; an option's, list's, stream's or alias's one, where there
  // is one; a result's ok and err; a map's key and value.
  std::vector<std::optional<TypeRef>> parts;
  std::uint32_t length = 0;    // kFixedList
  std::uint32_t resource = 0;  // kOwn, kBorrow: the resource's number
};

enum class FunctionKind : std::uint8_t { kFree, kMethod, kStatic, kConstructor };

struct Function {
  std::string name;  // "[method]bucket.get"
  FunctionKind kind = FunctionKind::kFree;
  std::string resource;
  bool async = false;
  std::vector<Member> params;
  std::optional<TypeRef> result;
  std::string signature;

  // "get" of "[method]bucket.get"; the resource's name for a constructor.
  std::string_view plain_name() const;
};

struct Interface {
  std::string name;     // "wasi:keyvalue/store@0.2.0-draft"
  std::string package;  // "wasi:keyvalue"
  std::string interface;
  std::string version;
  std::vector<Type> types;
  std::vector<Function> functions;
  std::size_t imported = 0;  // kRoot: how many of its functions are imports, which come first
};

// The name of the interface that a world's own functions are described as.
inline constexpr std::string_view kRoot = "$root";

// What a component is written for. Interfaces by name.
struct World {
  std::string name;
  std::vector<std::string> imports;
  std::vector<std::string> exports;
  std::string encoded;  // What a component's module says of it, in hex.

  bool has_import(std::string_view interface) const;
  bool has_export(std::string_view interface) const;
};

struct Description {
  std::vector<Interface> interfaces;
  std::vector<World> worlds;

  const Interface* find(std::string_view name) const;
};

// Fails with what is wrong and where in the text.
Result<Description> parse_description(std::string_view input);

}  // namespace weft::bindgen
