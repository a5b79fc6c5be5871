#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace weft {

// What is wanted of a WIT package. With neither interfaces nor worlds: all of the main package.
struct WitQuery {
  std::string path;                     // A .wit file, or a folder of one package.
  std::vector<std::string> packages;    // Paths of packages that it uses and does not bring.
  std::vector<std::string> interfaces;  // "acme:ml/inference@1.0.0"
  std::vector<std::string> worlds;      // What these export.
};

// The description that the bindings generator reads, as JSON.
Result<std::string> describe_wit(const WitQuery& query);

// The world that a component is written for.
struct GuestWorld {
  std::string path;                   // A .wit file, or a folder of one package.
  std::vector<std::string> packages;  // Paths of packages that it uses and does not bring.
  std::string name;                   // Empty: the package's only one.
};

// Writes guest.h, guest.c and guest_component_type.o, the C bindings of a world, into `folder`.
// Files that would not change keep their times.
Result<void> make_guest_bindings(const GuestWorld& world, const std::string& folder);
// Writes the Go bindings of a world into `folder`, which is `gen` in the Go module `module`. They
// call the module's packages export_NAME for what the world exports, and import nothing from
// elsewhere. A core module built with them ends with component_type.section, which says the world.
Result<void> make_go_bindings(const GuestWorld& world, const std::string& module,
                              const std::string& folder);

// How WASI 0.1, which wasm libraries speak, becomes 0.2. kFitting: as for a command when the module
// exports _start, and otherwise as for a reactor.
enum class WasiAdapter : unsigned char { kNone, kCommand, kReactor, kFitting };

// Makes the component `out` of the core module in the file `module`; they may be one file.
Result<void> make_component(const std::string& module, WasiAdapter adapter, const std::string& out);

// Writes the packages of WASI below `folder`: wasi-0.2.12/http.wit and so on.
Result<void> write_standard_wit(const std::string& folder);

}  // namespace weft
