#pragma once

#include <string_view>

namespace weft {

// The name of an interface, cut: "acme:ml/inference@1.2.0".
struct InterfaceName {
  std::string_view path;     // "acme:ml/inference"
  std::string_view version;  // "1.2.0"; empty: none.

  static InterfaceName of(std::string_view text);

  // What versions are told apart by: "1", "0.2"; empty: this one fits itself alone, as 0.0.x and
  // every pre-release do.
  std::string_view track() const;
};

// Whether what is offered under one name serves what is wanted under another, as far as names go:
// the same name, or versions of one track, whichever is the newer.
bool serves(InterfaceName offered, InterfaceName wanted);

// Whether somebody who wrote `written`, with a version or without, means this interface.
bool means(InterfaceName written, InterfaceName interface);

}  // namespace weft
