#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/blobstore/container.h"
#include "remote/azure/blobs.h"
#include "remote/http/signal.h"

namespace weft::blobstore::azure {

// Blocks that one blob may have.
inline constexpr std::size_t kBlocksMax = 50'000;
// How long a block may take that is sent while the next one is collected, its repetitions included.
inline constexpr std::chrono::minutes kBlockTime{10};

// Bytes on their way into an object: collected to blocks, and while one is sent half of the next
// one is collected. The last request names the blocks, and with that the object is there. An
// object that is smaller than one is a single request.
//
// Shared by the writer and by the task that sends a block. On one loop. Blocks that are never
// named are nowhere seen, and Azure throws them away.
class Upload : public std::enable_shared_from_this<Upload> {
 public:
  // `noted` is kept beside the object, unless it is empty.
  Upload(std::shared_ptr<remote::azure::Blobs> blobs, std::size_t block_bytes, std::string name,
         std::string noted);

  Task<void> add(Request request, Bytes bytes);
  // The object is there. Once, and last.
  Task<void> commit(Request request);
  // Nothing is collected any more.
  void abandon() { pieces_.clear(); }

 private:
  void collect(Bytes bytes);
  Task<void> wait_sent(Request request);
  // Everything that is collected but what goes beyond one block.
  std::vector<Bytes> take_block();
  void send(std::vector<Bytes> block);
  static Task<void> send_block(std::shared_ptr<Upload> upload, std::vector<Bytes> block);
  Task<void> send_now(Deadline deadline, const std::vector<Bytes>& block);

  std::shared_ptr<remote::azure::Blobs> blobs_;  // Shared by all of the loop.
  const std::size_t block_bytes_;
  const std::string name_;
  const std::string noted_;
  const std::string mine_;  // Before the numbers of this upload's blocks, and of no other's.
  std::vector<Bytes> pieces_;
  std::size_t collected_ = 0;
  std::vector<std::string> blocks_;
  bool sending_ = false;
  Result<void> outcome_;  // Of the blocks so far.
  remote::Signal sent_;
};

}  // namespace weft::blobstore::azure
