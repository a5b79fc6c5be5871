#pragma once

// For src/engine's own sources: headers as they cross the bridge, name and value in turn, each with
// its length before it (u32, little endian).

#include <string_view>

#include "base/buffer.h"
#include "base/bytes.h"

namespace weft {

void put_flat(Buffer& out, std::string_view name, std::string_view value);

// Reads such a list from front to back. What it gives is borrowed from the list, which comes from
// our own bridge: one that is cut off is a bug.
class FlatHeaders {
 public:
  explicit FlatHeaders(BytesView flat) : left_(flat) {}

  bool done() const { return left_.empty(); }
  std::string_view part();

 private:
  BytesView left_;
};

}  // namespace weft
