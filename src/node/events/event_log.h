#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "node/events/event.h"
#include "node/object/key.h"

namespace weft::node::events {

// Of events that wait to be written, and of room that is reserved for some. What does not fit is
// refused at once with kLimit: a loop never waits for the disk.
inline constexpr std::size_t kEventQueueBytesMax = std::size_t{32} << 20;
// A segment that has reached this is followed by another.
inline constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{64} << 20;
// The mark of what is durable is flushed at least this often while events come, see README.md.
inline constexpr std::chrono::milliseconds kMarkFlushMax{1'000};

struct EventLogOptions {
  std::uint64_t segment_bytes = kSegmentBytesMax;
  // When the segments have more than this, the oldest are removed; the newest never is. 0: none.
  std::uint64_t retain_bytes = 0;
  std::size_t queue_bytes = kEventQueueBytesMax;
};

class EventWriter;

// The log of one node's events. Made and destroyed by one owner, who keeps it until nobody else
// uses it; everything else is for any thread. One process at a time has a folder open.
//
// The end writes and flushes what waits, however long the disk takes.
class EventLog {
 public:
  // Told once whether an event is durable: on the log's own thread, in order of the numbers. It
  // posts to its loop and returns; it does not call the log.
  using Durable = std::move_only_function<void(const Result<void>&)>;
  // Told on the log's own thread of the newest durable number whenever there is one, with which an
  // EventReader goes on. Likewise.
  using Follow = std::function<void(std::uint64_t durable)>;

  // Room for one event. Given back when it goes. The log outlives it.
  class Room {
   public:
    Room(Room&& other) noexcept : log_(std::exchange(other.log_, nullptr)) {}
    Room& operator=(Room&& other) noexcept {
      std::swap(log_, other.log_);
      return *this;
    }
    ~Room();

   private:
    friend class EventLog;
    explicit Room(EventLog* log) : log_(log) {}
    EventLog* log_;
  };

  // While it is there, its callback is told; when it is gone, it is not and is not running.
  // The log outlives it. Not destroyed inside of a callback.
  class Following {
   public:
    Following(Following&& other) noexcept
        : log_(std::exchange(other.log_, nullptr)), id_(other.id_) {}
    Following& operator=(Following&& other) noexcept {
      std::swap(log_, other.log_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Following();

   private:
    friend class EventLog;
    Following(EventLog* log, std::uint64_t id) : log_(log), id_(id) {}
    EventLog* log_;
    std::uint64_t id_;
  };

  // Reads and checks the folder, which is made where it is missing, and cuts off the tail of an
  // unfinished write. kCorrupt for any other damage, with where and what to do; kConflict where
  // another process has it open, or where it is another node's.
  static Result<std::unique_ptr<EventLog>> open(std::filesystem::path folder, const PublicKey& node,
                                                EventLogOptions options = {});
  ~EventLog();
  EventLog(const EventLog&) = delete;

  // Takes room for one event, before what it will tell of is begun. kLimit where there is none;
  // what ended the log where it ended.
  Result<Room> reserve();
  // Gives the event its number and queues it: never waits for the disk. Fails only where the log
  // has ended, then `durable` is not called. Nobody outside may be told the number before it is
  // durable.
  Result<std::uint64_t> append(Event event, Room room, Durable durable = {});
  // The same without room taken before: kLimit where there is none now.
  Result<std::uint64_t> append(Event event, Durable durable = {});

  // Until the event and all before it are durable: blocks, so not on a loop. kTimeout past
  // `deadline`; what ended the log where it ended before.
  Result<void> wait(std::uint64_t sequence, Deadline deadline);

  [[nodiscard]] Following follow(Follow callback);

  // The newest number that is durable; 0: none.
  std::uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  // Why nothing is written any more; nothing: it goes on.
  std::optional<Error> ended() const;
  // Bytes that open cut off, for a line in the daemon's log.
  std::uint64_t cut_bytes() const { return cut_bytes_; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  struct Waiting {
    std::uint64_t sequence;
    Durable tell;
  };

  EventLog(std::filesystem::path folder, std::unique_ptr<EventWriter> writer,
           std::size_t queue_bytes);
  void give_back();
  void unfollow(std::uint64_t id);
  void run();
  bool await_events(std::unique_lock<std::mutex>& lock);
  void write_queue(std::unique_lock<std::mutex>& lock);
  void end(std::unique_lock<std::mutex>& lock, Error why);
  void wait_for_end(std::unique_lock<std::mutex>& lock);

  const std::filesystem::path folder_;
  const std::unique_ptr<EventWriter> writer_;  // Of the thread alone.
  const std::uint64_t cut_bytes_;
  const std::size_t queue_bytes_max_;
  std::atomic<std::uint64_t> durable_;

  mutable std::mutex mutex_;
  std::condition_variable queued_;
  std::condition_variable settled_;
  Bytes queue_;                   // Frames whose chains are not filled in yet.
  std::vector<Waiting> waiting_;  // For those in the queue.
  std::uint64_t last_;            // The last number that was given.
  Bytes writing_;                 // Of the thread alone.
  std::size_t writing_bytes_ = 0;
  std::size_t reserved_ = 0;
  std::optional<Error> ended_;
  bool idle_ = false;
  bool stopping_ = false;

  std::mutex following_mutex_;  // Held while they are told.
  std::map<std::uint64_t, Follow> following_;
  std::uint64_t following_id_ = 0;

  std::thread thread_;
};

}  // namespace weft::node::events
