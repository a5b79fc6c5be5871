#include "door/cache_layer.h"

#include <algorithm>
#include <deque>

#include "io/loop.h"

namespace weft {

// A call that is under way, and those that wait for its answer. Its cache's lock guards it.
struct CallCache::Flight {
  struct Follower {
    std::shared_ptr<WaitingCall> held;  // Shared with its loop.
    Layer::State* state;                // In its call, which is there while `held` has it.
  };

  explicit Flight(const ReplyKey& asked)
      : arguments(asked.arguments.begin(), asked.arguments.end()), key(asked) {
    key.arguments = arguments;
  }

  const Bytes arguments;
  ReplyKey key;
  std::deque<Follower> followers;
};

CallCache::~CallCache() = default;

std::uint32_t CallCache::number_of(const Function& function) {
  std::string name = function.interface + "#" + function.name;
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find(functions_, name);
  auto number = static_cast<std::uint32_t>(found - functions_.begin());
  if (found == functions_.end()) functions_.push_back(std::move(name));
  return number;
}

CallCache::Found CallCache::look(std::uint32_t function, Call& call, Layer::State& state) {
  if (!replies_.fits(call.arguments().size(), 0)) return {.kind = Found::Kind::kAskAlone};
  ReplyKey key(function, call.arguments());
  ReplyCache::Time now = call.context().loop().now();
  std::lock_guard lock(mutex_);
  if (ReplyCache::Reply reply = replies_.find(key, now)) {
    return {.kind = Found::Kind::kReply, .reply = std::move(reply)};
  }
  auto under_way = flights_.find(key);
  if (under_way == flights_.end()) {
    if (flights_.size() >= kFlightsMax) return {.kind = Found::Kind::kAskAlone};
    auto flight = std::make_shared<Flight>(key);
    Flight* asking = flight.get();
    flights_.emplace(flight->key, std::move(flight));
    return {.kind = Found::Kind::kAsk, .flight = asking};
  }
  if (followers_ >= kFollowersMax) return {.kind = Found::Kind::kAskAlone};
  const std::shared_ptr<Flight>& flight = under_way->second;
  auto held = WaitingCall::hold(call, "the answer of another call",
                                [cache = shared_from_this(), flight](const WaitingCall* gone) {
                                  cache->forget(*flight, gone);
                                });
  flight->followers.push_back({std::move(held), &state});
  ++followers_;
  return {.kind = Found::Kind::kWait};
}

std::shared_ptr<CallCache::Flight> CallCache::take(Flight* flight) {
  auto found = flights_.find(flight->key);
  CHECK(found != flights_.end() && found->second.get() == flight);
  // The key in the table borrows from the flight.
  std::shared_ptr<Flight> taken = std::move(found->second);
  flights_.erase(found);
  return taken;
}

void CallCache::answered(Flight* flight, BytesView reply, ReplyCache::Time now) {
  bool fits = replies_.fits(flight->arguments.size(), reply.size());
  auto kept = std::make_shared<const Bytes>(reply.begin(), reply.end());
  std::shared_ptr<Flight> ended;
  std::deque<Flight::Follower> followers;
  {
    std::lock_guard lock(mutex_);
    ended = take(flight);
    followers = std::exchange(ended->followers, {});
    followers_ -= followers.size();
    if (fits) replies_.keep(ended->key, kept, now);
  }
  for (Flight::Follower& each : followers) {
    WaitingCall::let_go(std::move(each.held), [kept](Call* call) {
      if (call == nullptr) return;
      call->answer().append(*kept);
      call->resume();
    });
  }
}

void CallCache::failed(Flight* flight) {
  Flight::Follower next;
  std::shared_ptr<Flight> goes_on;
  {
    std::lock_guard lock(mutex_);
    if (flight->followers.empty()) {
      goes_on = take(flight);
      return;
    }
    next = std::move(flight->followers.front());
    flight->followers.pop_front();
    --followers_;
    goes_on = flights_.find(flight->key)->second;
  }
  WaitingCall::let_go(
      std::move(next.held),
      [cache = shared_from_this(), flight = std::move(goes_on), state = next.state](Call* call) {
        if (call == nullptr) return cache->failed(flight.get());
        state->pointers[0] = flight.get();
        call->resume();
      });
}

void CallCache::forget(Flight& flight, const WaitingCall* gone) {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find(flight.followers, gone,
                                 [](const Flight::Follower& each) { return each.held.get(); });
  if (found == flight.followers.end()) return;
  flight.followers.erase(found);
  --followers_;
}

std::size_t CallCache::entries() const {
  std::lock_guard lock(mutex_);
  return replies_.entries();
}

std::size_t CallCache::followers() const {
  std::lock_guard lock(mutex_);
  return followers_;
}

std::size_t CallCache::flights() const {
  std::lock_guard lock(mutex_);
  return flights_.size();
}

Layer::Flow CacheLayer::before(Call& call, State& state) {
  state.pointers[0] = nullptr;
  CallCache::Found found = cache_->look(function_, call, state);
  switch (found.kind) {
    case CallCache::Found::Kind::kReply:
      note(LinkEvent::kHit);
      call.answer().append(*found.reply);
      return Flow::kAnswered;
    case CallCache::Found::Kind::kWait: note(LinkEvent::kJoined); return Flow::kHold;
    case CallCache::Found::Kind::kAsk: state.pointers[0] = found.flight; break;
    case CallCache::Found::Kind::kAskAlone: break;
  }
  note(LinkEvent::kMiss);
  return Flow::kOn;
}

Layer::Flow CacheLayer::after(Call& call, State& state) {
  auto* flight = static_cast<CallCache::Flight*>(state.pointers[0]);
  if (flight == nullptr) return Flow::kOn;
  if (call.outcome() == Call::State::kDone && (sound_ == nullptr || sound_(call.reply()))) {
    cache_->answered(flight, call.reply(), call.context().loop().now());
  } else {
    cache_->failed(flight);
  }
  return Flow::kOn;
}

}  // namespace weft
