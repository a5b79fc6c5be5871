#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capabilities/blobstore/container.h"

namespace weft::blobstore {

// The names of a container's objects, read piece by piece. On one loop.
class ObjectNames {
 public:
  // What one read gives at most.
  static constexpr std::size_t kReadNamesMax = 65'536;
  static constexpr std::size_t kReadBytesMax = 1 << 20;

  struct Piece {
    std::vector<std::string> names;
    bool end = false;
  };
  struct Skipped {
    std::uint64_t count = 0;
    bool end = false;
  };

  // The container is shared by its handle and its lists, any of which may go first.
  explicit ObjectNames(std::shared_ptr<Container> container) : container_(std::move(container)) {}

  // The owner keeps it until the task has ended. One at a time: kConflict otherwise.
  Task<Piece> read(Request request, std::uint64_t count);
  Task<Skipped> skip(Request request, std::uint64_t count);

 private:
  class Turn;
  Task<bool> fill(Request request);
  bool at_end() const { return next_ == page_.names.size() && !page_.more; }

  std::shared_ptr<Container> container_;
  Page page_{.names = {}, .more = true};
  std::size_t next_ = 0;  // In the page.
  std::string last_;      // Of all pages so far.
  bool busy_ = false;
};

}  // namespace weft::blobstore
