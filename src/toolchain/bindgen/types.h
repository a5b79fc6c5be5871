#pragma once

#include <optional>
#include <string>

#include "toolchain/bindgen/description.h"

namespace weft::bindgen {

// How a type is spelled in C++. All forms of one type look the same on the wire.
enum class Form : std::uint8_t {
  kOwned,         // fields, results: std::string, std::unique_ptr<Bucket>
  kView,          // parameters of host methods: std::string_view; named types are still owned
  kOwnedHandles,  // results of a client: own<bucket> is a Handle<Bucket>
  kViewHandles,   // parameters of a client
};

// Whose code a type is spelled for: weft's, which serves an interface and calls it, or a guest's,
// which either calls an interface that it imports or implements one that it exports.
enum class Side : std::uint8_t { kHost, kImport, kExport };

// The types of one interface, as its generated files spell them. Borrows the description.
class Types {
 public:
  // kFull for code outside the interface's namespace.
  enum class Names : std::uint8_t { kShort, kFull };

  // For a guest the description has its world.
  Types(const Description& description, const Interface& interface, Side side = Side::kHost,
        Names names = Names::kShort)
      : description_(description), interface_(interface), side_(side), names_(names) {}
  Types in_full() const { return Types(description_, interface_, side_, Names::kFull); }
  Side side() const { return side_; }
  const Interface& interface() const { return interface_; }
  const Description& description() const { return description_; }

  // A type with the interface its numbers belong to, past all aliases. `type` is null for a
  // primitive.
  struct Resolved {
    const Interface* interface;
    const Type* type;
    std::string primitive;
  };
  Resolved resolve(const TypeRef& ref) const { return resolve(interface_, ref); }
  Resolved resolve(const Interface& interface, const TypeRef& ref) const;

  std::string spell(const TypeRef& ref, Form form) const { return spell(interface_, ref, form); }
  std::string spell(const Interface& from, const TypeRef& ref, Form form) const;
  // void where there is none.
  std::string spell_result(const std::optional<TypeRef>& ref, Form form) const;
  // A parameter of a host method or a client: what is lent is a reference. A guest's import takes
  // by reference what it only reads.
  std::string spell_param(const TypeRef& ref, Form form) const;
  // The name of a named type or of a resource: short where the interface has a name for it.
  std::string name(const Interface& interface, const Type& type) const;
  // Whether a type of a guest is one for what it imports and another for what it exports: those
  // with resources in them are.
  bool is_sided(const Interface& interface, const Type& type) const;

  // The resource a parameter lends, when it is a plain borrow<T>.
  bool is_borrow(const TypeRef& ref) const { return lends(ref, Lent::kResource); }
  // A plain borrow of a wasi:io stream, which does not cross.
  bool lends_stream(const TypeRef& ref) const { return lends(ref, Lent::kStream); }
  // Whether the bytes of a value carry a handle, a stream or a future.
  bool carries_handles(const std::optional<TypeRef>& ref) const;
  bool carries_handles(const Interface& from, const std::optional<TypeRef>& ref) const;
  // Whether a named type within `ref` carries a resource: a client has no form of it.
  bool hides_resources(const std::optional<TypeRef>& ref) const;

 private:
  enum class Look : std::uint8_t { kAnyHandle, kResources };
  enum class Lent : std::uint8_t { kResource, kStream };

  std::string spell_optional(const Interface& interface, const std::optional<TypeRef>& ref,
                             Form form, const char* absent) const;
  std::string spell_list(const Interface& interface, const Type& type, Form form) const;
  std::string spell_handle(const Interface& interface, const Type& type, Form form) const;
  bool is_exported(const Interface& interface) const;
  bool lends(const TypeRef& ref, Lent what) const;
  bool contains(const Interface& from, const std::optional<TypeRef>& ref, Look look) const;
  bool hides(const Interface& from, const std::optional<TypeRef>& ref) const;

  const Description& description_;
  const Interface& interface_;
  Side side_;
  Names names_;
};

// wasi:io's streams cross as pipes, whatever interface uses them: "InputPipe", "OutputPipe" or
// nothing.
std::string_view pipe_of(const Interface& interface, const Type& type);

}  // namespace weft::bindgen
