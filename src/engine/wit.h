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

}  // namespace weft
