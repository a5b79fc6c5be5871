#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"
#include "node/object/hash.h"

namespace weft::node::events {

// An event, and the chain behind it.
struct Mark {
  std::uint64_t sequence = 0;
  Hash chain = {};
  friend bool operator==(const Mark&, const Mark&) = default;
};

inline constexpr std::string_view kDurableName = "durable";
inline constexpr std::string_view kAnchorName = "anchor";
// Each slot of `durable` in a sector of its own: of the two, one is whole whatever happens.
inline constexpr std::size_t kMarkSlotBytes = 512;

// The last event that is durable. Used by one thread.
class DurableMark {
 public:
  // The file of a folder, made durably with `first` where it is missing.
  static Result<DurableMark> open(const std::filesystem::path& folder, const Mark& first);

  const Mark& last() const { return last_; }
  // Survives the process at once, a power cut once flushed.
  Result<void> write(const Mark& mark);
  Result<void> flush();
  bool is_flushed() const { return flushed_; }

 private:
  std::filesystem::path path_;
  Fd file_;
  Mark last_;
  std::size_t slot_ = 0;
  bool flushed_ = true;
};

// What an open file `durable` says: kCorrupt where it says nothing.
struct FoundMark {
  Mark mark;
  std::size_t slot;
};
Result<FoundMark> read_durable(int file, const std::filesystem::path& path);

// The last event that was removed; nullopt where none was.
Result<std::optional<Mark>> read_anchor(const std::filesystem::path& folder);
Result<void> write_anchor(const std::filesystem::path& folder, const Mark& mark);

}  // namespace weft::node::events
