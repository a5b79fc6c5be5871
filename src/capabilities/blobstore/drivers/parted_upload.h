#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "capabilities/blobstore/container.h"
#include "remote/http/signal.h"

namespace weft::blobstore {

// How long a part may take that is sent while the next one is collected, its repetitions included.
inline constexpr std::chrono::minutes kPartTime{10};

// Bytes on their way into an object: collected to parts, and while one is sent half of the next one
// is collected. An object that is smaller than a part is one request.
//
// Shared by the writer and by the task that sends a part. On one loop.
class PartedUpload : public std::enable_shared_from_this<PartedUpload> {
 public:
  virtual ~PartedUpload() = default;

  Task<void> add(Request request, Bytes bytes);
  // The object is there. Once, and last.
  Task<void> commit(Request request);
  // Nothing is collected any more.
  void abandon();

 protected:
  PartedUpload(Loop& loop, std::size_t part_bytes)
      : loop_(loop), part_bytes_(part_bytes), sent_(loop) {}

  Loop& loop() const { return loop_; }
  std::size_t part_bytes() const { return part_bytes_; }

 private:
  // What follows is the driver's; none of it is called while a part is being sent.
  virtual Task<void> put_whole(Request request, const std::vector<Bytes>& object) = 0;
  virtual Task<void> put_part(Request request, const std::vector<Bytes>& part) = 0;
  // Makes the object of the parts that were put.
  virtual Task<void> complete(Request request) = 0;
  // Abandoned: nothing of it is wanted any more.
  virtual void clean_up() {}

  void collect(Bytes bytes);
  Task<void> wait_sent(Request request);
  // Everything that is collected but what goes beyond one part.
  std::vector<Bytes> take_part();
  void send(std::vector<Bytes> part);
  static Task<void> send_part(std::shared_ptr<PartedUpload> upload, std::vector<Bytes> part);

  Loop& loop_;
  const std::size_t part_bytes_;
  std::vector<Bytes> pieces_;
  std::size_t collected_ = 0;
  bool begun_ = false;  // A part was sent.
  bool sending_ = false;
  bool over_ = false;
  Result<void> outcome_;  // Of the parts so far.
  remote::Signal sent_;
};

}  // namespace weft::blobstore
