#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"

namespace weft::node::wire {

// Memory for what follows requests, from its first byte until a run has it as its arguments: of a
// whole node, and of all requests of one group.
inline constexpr std::size_t kFollowsMax = std::size_t{256} << 20;
inline constexpr std::size_t kFollowsGroupMax = std::size_t{64} << 20;

// The room for what follows the requests of one node, on all of its loops. From any thread.
class FollowsRoom {
  struct Held;

 public:
  struct Bounds {
    std::size_t total = kFollowsMax;
    std::size_t group = kFollowsGroupMax;
  };

  // What one request has of it, which goes back with it. One owner; from any thread, one at a time.
  class Part {
   public:
    Part() = default;
    Part(Part&& other) noexcept
        : held_(std::move(other.held_)),
          group_(std::move(other.group_)),
          bytes_(std::exchange(other.bytes_, 0)) {}
    Part& operator=(Part&& other) noexcept {
      std::swap(held_, other.held_);
      std::swap(group_, other.group_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Part() { give_back(); }

    // So many more. kLimit: there is no room for them now.
    Result<void> more(std::size_t bytes) {
      if (held_ == nullptr || bytes == 0) return {};
      TRY_VOID(held_->take(group_, bytes));
      bytes_ += bytes;
      return {};
    }
    void give_back() {
      if (bytes_ > 0) held_->give_back(group_, std::exchange(bytes_, 0));
    }
    std::size_t bytes() const { return bytes_; }

   private:
    friend class FollowsRoom;
    Part(std::shared_ptr<Held> held, std::string_view group)
        : held_(std::move(held)), group_(group) {}

    std::shared_ptr<Held> held_;  // Shared with the room and its other parts: see below.
    std::string group_;
    std::size_t bytes_ = 0;
  };

  FollowsRoom() : FollowsRoom(Bounds()) {}
  explicit FollowsRoom(Bounds bounds) : held_(std::make_shared<Held>(bounds)) {}

  Part part_of(std::string_view group) const { return Part(held_, group); }
  // What is taken now for requests of that group. All strangers are one, "strangers".
  std::size_t taken(std::string_view group) const { return held_->of(group); }

 private:
  struct Held {
    explicit Held(Bounds with) : bounds(with) {}

    Result<void> take(std::string_view group, std::size_t bytes) {
      std::lock_guard hold(mutex);
      auto found = groups.find(group);
      std::size_t mine = found == groups.end() ? 0 : found->second;
      if (bytes > bounds.group - mine) {
        return failure(Errc::kLimit,
                       fmt::format("{} bytes that follow requests of group {} are on their way or "
                                   "wait to be run, and {} is the most: ask again when there is "
                                   "less",
                                   mine, group, bounds.group));
      }
      if (bytes > bounds.total - total) {
        return failure(Errc::kLimit,
                       fmt::format("{} bytes that follow requests are on their way to this node, "
                                   "and {} is the most: ask again when there is less",
                                   total, bounds.total));
      }
      if (found == groups.end()) found = groups.emplace(std::string(group), 0).first;
      found->second += bytes;
      total += bytes;
      return {};
    }
    void give_back(std::string_view group, std::size_t bytes) {
      std::lock_guard hold(mutex);
      auto found = groups.find(group);
      found->second -= bytes;
      total -= bytes;
      if (found->second == 0) groups.erase(found);
    }
    std::size_t of(std::string_view group) {
      std::lock_guard hold(mutex);
      auto found = groups.find(group);
      return found == groups.end() ? 0 : found->second;
    }

    const Bounds bounds;
    std::mutex mutex;
    std::size_t total = 0;
    std::map<std::string, std::size_t, std::less<>> groups;  // Those that have any.
  };

  // Shared with the parts: one may be in what a loop drops when it stops, after the node's parts.
  const std::shared_ptr<Held> held_;
};

// What follows a request, and its room.
struct Follows {
  Bytes bytes = {};
  FollowsRoom::Part room = {};
};

}  // namespace weft::node::wire
