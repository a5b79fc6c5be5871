#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

namespace example {

// Whether it is 64 hexadecimal digits in small letters: then it is the name of a file too.
bool is_hash(std::string_view text);

// A file's bytes, mapped to read only. They stay when the file is removed.
class Mapping {
 public:
  static weft::Result<Mapping> of(const weft::Fd& file, std::string_view path);
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping();

  weft::BytesView bytes() const { return bytes_; }

 private:
  explicit Mapping(weft::BytesView bytes) : bytes_(bytes) {}
  weft::BytesView bytes_;
};

// A folder of states, each in a file called by its hash.
//
// A state is written under another name, flushed, checked and then renamed: a file is whole or not
// there. It is checked each time it is mapped; what is damaged is removed, so that it is brought
// again. Several processes may share a folder. Everything blocks, and may be called from any
// thread.
class StateFiles {
 public:
  // Makes the folder where it is not there, and removes what processes that died were writing.
  static weft::Result<StateFiles> open(std::string folder, std::uint64_t bytes_max);

  std::uint64_t bytes_max() const { return bytes_max_; }

  // kNotFound: it was never brought, or is gone again.
  weft::Result<std::uint64_t> size(std::string_view hash) const;
  // The same, and kCorrupt: it was damaged, and is removed now.
  weft::Result<Mapping> map(std::string_view hash) const;

  // A state that is being written; removed with this object, unless it is kept.
  class Part {
   public:
    Part(Part&&) noexcept = default;
    Part& operator=(Part&&) = delete;
    ~Part();
    weft::Result<void> write(weft::BytesView bytes);

   private:
    friend class StateFiles;
    Part(weft::Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
    weft::Fd file_;  // Locked: nobody takes it for what a dead process left.
    std::string path_;
  };
  weft::Result<Part> begin() const;
  // Keeps what was written, when it has that hash; kCorrupt when it has another. The longest
  // unused files go where the folder would have more than its bound.
  weft::Result<void> keep(Part part, std::string_view hash) const;

 private:
  StateFiles(std::string folder, std::uint64_t bytes_max)
      : folder_(std::move(folder)), bytes_max_(bytes_max) {}
  std::string path(std::string_view hash) const;
  void sweep() const;
  void trim(std::string_view keeping) const;

  std::string folder_;
  std::uint64_t bytes_max_;
};

}  // namespace example
