#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "capabilities/blobstore/container.h"
#include "capabilities/blobstore/spool.h"
#include "door/stream.h"
#include "io/pool.h"

namespace weft::blobstore {

// A stream that does not move for so long has failed.
inline constexpr std::chrono::minutes kBodyIdle{10};
// What is given as a list of bytes, all at once.
inline constexpr std::uint64_t kSyncBodyBytesMax = 64 << 20;

// What the bodies of all loops have in common: how many there may be, and the threads that wait for
// spooled ones. One per process; `stop` comes before the loops go.
class Bodies {
 public:
  static constexpr std::size_t kOpenMax = 4096;

  // The right to have one body open.
  class Place {
   public:
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (bodies_ != nullptr) --bodies_->open_;
    }

   private:
    friend class Bodies;
    explicit Place(std::shared_ptr<Bodies> bodies) : bodies_(std::move(bodies)) {}
    std::shared_ptr<Bodies> bodies_;  // Shared with every body: some end with their loop.
  };

  // Fails with kLimit when there are too many.
  static Result<Place> enter(const std::shared_ptr<Bodies>& bodies);

  Pool& pool() { return pool_; }
  void stop() { pool_.stop(); }

 private:
  std::atomic<std::size_t> open_ = 0;
  Pool pool_{{.threads = 2}};
};

// A value on its way into a store: the guest writes to its stream, which a task of the loop's own
// passes on to the object's writer, or to a spool until there is one.
//
// Shared by the guest's handle and that task. On one loop.
class Upload {
 public:
  Upload(Loop& loop, std::shared_ptr<Bodies> bodies)
      : loop_(loop), bodies_(std::move(bodies)), spool_(bodies_->pool()) {}

  // The guest's end of the body; fails with kConflict the second time.
  static Result<OutputPipe> open_body(const std::shared_ptr<Upload>& upload);
  // Says which object it becomes; kConflict when that was said before.
  static Task<void> bind(std::shared_ptr<Upload> upload, Request request,
                         std::shared_ptr<Container> container, std::string name);
  // Makes the object, of all that was written. Whatever comes of it, the upload is over.
  static Task<void> finish(std::shared_ptr<Upload> upload, Request request);
  // The guest does not want it any more.
  void abandon();

 private:
  enum class Binding : std::uint8_t { kNone, kUnderWay, kDone };

  Result<void> enter();
  static Task<void> pump(std::shared_ptr<Upload> upload, PipeWriter ended);
  Task<void> move_all();
  Task<void> put(Bytes part);
  Task<void> drain(Request request);
  // Nothing is there to read, and the guest may still write.
  bool body_open();

  Loop& loop_;
  std::shared_ptr<Bodies> bodies_;  // Shared with every body.
  std::optional<Bodies::Place> place_;
  Spool spool_;
  std::unique_ptr<ObjectWriter> writer_;  // There once it is bound.
  ByteReader body_;
  PipeReader ended_;  // Ends as the pump did; empty where there is none.
  Binding binding_ = Binding::kNone;
  bool finishing_ = false;
  bool abandoned_ = false;
};

// A value that comes out of a store, at the guest's pace.
class Download {
 public:
  Download(std::unique_ptr<ObjectReader> reader, Bodies::Place place)
      : reader_(std::move(reader)), place_(std::move(place)) {}

  std::uint64_t size() const { return reader_->size(); }
  // All of it. Fails with kLimit when that is more than kSyncBodyBytesMax.
  static Task<Bytes> all(std::unique_ptr<Download> download, Request request);
  // A stream of it, filled by a task of the loop's own.
  static InputPipe stream(std::unique_ptr<Download> download, Loop& loop);

 private:
  static Task<void> pump(std::unique_ptr<Download> download, Loop& loop, ByteWriter out);
  Task<void> move_all(Loop& loop, ByteWriter& out);

  std::unique_ptr<ObjectReader> reader_;
  Bodies::Place place_;
};

}  // namespace weft::blobstore
