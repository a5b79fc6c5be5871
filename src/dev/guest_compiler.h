#pragma once

#include <string>
#include <vector>

#include "app/build_settings.h"
#include "dev/sdk_folder.h"

namespace weft {

// How well a guest is compiled: for many runs, or for one look at a change.
enum class Effort : unsigned char { kFull, kQuick };

// A component to compile.
struct GuestBuild {
  std::string name;
  BuildSettings settings;
  std::string folder;  // weft.toml's: sources and wit are below it.
  std::string output;  // The component.
};

struct GuestBuilt {
  bool changed = false;  // False: all was as new as its sources.
  std::string output;    // What the compiler had to say: warnings.
};

// Compiles guests in C and C++ with the system's clang, others with their language's tools
// (own_tools.h); bindings, the adapter and the component come from weft. What did not change is not
// compiled again. Objects lie in .weft beside the output.
class GuestCompiler {
 public:
  GuestCompiler(SdkFolder sdk, Effort effort) : sdk_(std::move(sdk)), effort_(effort) {}

  // The error has what the compiler said.
  Result<GuestBuilt> build(const GuestBuild& guest) const;

 private:
  SdkFolder sdk_;
  Effort effort_;
};

}  // namespace weft
