#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "door/call.h"
#include "door/link_notes.h"
#include "door/reply_cache.h"
#include "door/waiting_call.h"

namespace weft {

// The replies of a link's pure functions, and those of its calls that are under way: who asks what
// is being asked already waits for that answer. Failed calls are not kept; where one that others
// wait for fails, the one that waited longest asks in its place.
//
// Shared by the loops' layers. One short lock; replies are copied outside of it.
class CallCache : public std::enable_shared_from_this<CallCache> {
 public:
  // Calls that wait for the answer of others, and different ones that others may wait for. What
  // comes above that asks by itself.
  static constexpr std::size_t kFollowersMax = 1024;
  static constexpr std::size_t kFlightsMax = 1024;

  explicit CallCache(ReplyCache::Bounds bounds) : replies_(bounds) {}
  ~CallCache();

  // The number that stands for a function in keys.
  std::uint32_t number_of(const Function& function);

  struct Flight;
  struct Found {
    enum class Kind : unsigned char { kReply, kAsk, kAskAlone, kWait };
    Kind kind;
    ReplyCache::Reply reply = {};  // kReply.
    Flight* flight = nullptr;      // kAsk: ends with `answered` or `failed`.
  };
  // kWait: the call is held and is resumed with its reply, or with the flight in `state` to ask
  // itself.
  Found look(std::uint32_t function, Call& call, Layer::State& state);
  void answered(Flight* flight, BytesView reply, ReplyCache::Time now);
  void failed(Flight* flight);

  std::size_t entries() const;
  std::size_t followers() const;
  std::size_t flights() const;

 private:
  void forget(Flight& flight, const WaitingCall* gone);
  std::shared_ptr<Flight> take(Flight* flight);

  mutable std::mutex mutex_;
  ReplyCache replies_;                  // Guarded, as all below.
  std::vector<std::string> functions_;  // By number.
  // Keys borrow from the flights, which are shared with their followers.
  std::unordered_map<ReplyKey, std::shared_ptr<Flight>, ReplyKey::Hash> flights_;
  std::size_t followers_ = 0;
};

// Answers calls of one function of a link on one loop from the cache.
class CacheLayer final : public Layer {
 public:
  // Whether the bytes are a reply of the function. What a process sends is checked as its caller
  // takes it, and one that is wrong should fail that call only.
  using Sound = std::function<bool(BytesView reply)>;
  // `notes` may be null, and `sound`: every reply is.
  CacheLayer(std::shared_ptr<CallCache> cache, const Function& function, LinkNotes* notes,
             Sound sound = nullptr)
      : cache_(std::move(cache)),
        function_(cache_->number_of(function)),
        notes_(notes),
        sound_(std::move(sound)) {}

  Flow before(Call& call, State& state) override;
  Flow after(Call& call, State& state) override;

 private:
  void note(LinkEvent event) {
    if (notes_ != nullptr) notes_->note(event);
  }

  std::shared_ptr<CallCache> cache_;  // Shared with the other loops.
  std::uint32_t function_;
  LinkNotes* notes_;
  Sound sound_;
};

}  // namespace weft
