#pragma once

// For src/engine's own sources.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

namespace weft {

// A file that is taken for a program: open, regular, of a size that is read whole.
class ProgramFile {
 public:
  static constexpr std::uint64_t kBytesMax = std::uint64_t{512} << 20;

  // Errors do not name the file: whoever asked does.
  static Result<ProgramFile> open(const std::string& path);

  // Tells this file, as it is now, from others and from what it was before it was changed.
  const std::string& stamp() const { return stamp_; }
  Result<Bytes> read() const;

 private:
  ProgramFile(Fd file, std::uint64_t size, std::string stamp)
      : file_(std::move(file)), size_(size), stamp_(std::move(stamp)) {}

  Fd file_;
  std::uint64_t size_ = 0;
  std::string stamp_;
};

}  // namespace weft
