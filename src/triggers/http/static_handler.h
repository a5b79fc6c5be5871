#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/error.h"
#include "base/fd.h"
#include "base/id.h"
#include "io/http/exchange.h"
#include "io/pool.h"

namespace weft {

// A folder whose files are served. Opened once, so that it stays the same folder when its path
// comes to name another. Immutable, shared by the loops' handlers.
class StaticFolder {
 public:
  static Result<std::shared_ptr<const StaticFolder>> open(const std::string& path);
  int fd() const { return fd_.get(); }

 private:
  explicit StaticFolder(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// Serves one folder's files at one route of one loop: GET and HEAD, index.html for a folder, entity
// tags, dates and one range. Nothing outside the folder, also not by way of a symbolic link, and no
// file whose name begins with a dot.
//
// Files are opened and read on the pool, kReadBytes at a time and one read a request, so that a
// disk never holds up the loop and a slow client costs that much. On its loop only; breaks off what
// it still sends when it is destroyed. The pool outlives it, and the loops the pool.
class StaticHandler final : public HttpHandler {
 public:
  static constexpr std::size_t kReadBytes = 64 * 1024;
  // How long a response waits to be read on when the pool is full.
  static constexpr std::chrono::milliseconds kPoolPause{20};

  // `route` as it was written: below "/assets/..." the file's name is what the dots stand for, and
  // at "/favicon.ico" the last part.
  StaticHandler(Pool& pool, std::shared_ptr<const StaticFolder> folder, std::string_view route);
  ~StaticHandler() override;

  void handle(HttpExchange::Ptr exchange) override;

 private:
  class Transfer;

  Pool& pool_;
  std::shared_ptr<const StaticFolder> folder_;  // Shared by the loops and reads under way.
  std::size_t strip_;
  IdGenerator ids_;
  std::unordered_set<Transfer*> transfers_;  // Each takes itself out.
};

}  // namespace weft
