#include "capabilities/messaging/deliveries.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft::messaging {
namespace {

// The metadata that orders messages where a group asks for it.
constexpr std::string_view kKey = "key";

}  // namespace

Deliveries::Deliveries(Loop& loop, Wanted wanted, Receiver& receiver)
    : self_(std::make_shared<Deliveries*>(this)),
      loop_(loop),
      wanted_(std::move(wanted)),
      receiver_(receiver),
      timer_(loop, [this] { due(); }) {}

Deliveries::~Deliveries() {
  *self_ = nullptr;
}

std::size_t Deliveries::room() const {
  if (stopped_) return 0;
  std::size_t room = kOpenMax > items_.size() ? kOpenMax - items_.size() : 0;
  std::size_t ahead = kReadAhead > ready() ? kReadAhead - ready() : 0;
  return std::min(room, ahead);
}

std::string Deliveries::lane_of(const Message& message) const {
  if (wanted_.ordering == Ordering::kNone) return {};
  if (wanted_.ordering == Ordering::kKey) {
    auto key =
        std::ranges::find(message.metadata, kKey, &std::pair<std::string, std::string>::first);
    if (key != message.metadata.end()) return "k" + key->second;
  }
  return "t" + message.topic;
}

void Deliveries::add(Held held) {
  Id id = held.id;
  std::string lane = lane_of(held.message);
  bool free = true;
  if (!lane.empty()) {
    auto [found, is_new] = lanes_.try_emplace(lane);
    if (!is_new) found->second.insert(id);
    free = is_new;
  }
  bool added = items_.emplace(id, Item{std::move(held), std::move(lane)}).second;
  CHECK(added);
  if (!free) return;
  if (fresh_.empty() || fresh_.back() < id) {
    fresh_.push_back(id);
  } else {
    ready_.insert(id);
  }
}

Deliveries::Id Deliveries::next_ready() {
  if (ready_.empty() || (!fresh_.empty() && fresh_.front() < *ready_.begin())) {
    Id id = fresh_.front();
    fresh_.pop_front();
    return id;
  }
  return ready_.extract(ready_.begin()).value();
}

void Deliveries::bring() {
  if (stopped_) return;
  bool planned = !bringing_.empty();
  while (out_ < wanted_.at_once && any_ready()) {
    Id id = next_ready();
    items_.at(id).out = true;
    ++out_;
    bringing_.push_back(id);
  }
  if (planned || bringing_.empty()) return;
  loop_.defer([self = self_] {
    if (*self != nullptr) (*self)->deliver();
  });
}

// Who is called may bring more, and may end all this.
void Deliveries::deliver() {
  auto self = self_;
  for (Id id : std::exchange(bringing_, {})) {
    const Held& held = delivered(id);
    receiver_.deliver({held.id, held.message, held.attempts + 1});
    if (*self == nullptr) return;
  }
}

const Deliveries::Held& Deliveries::delivered(Id id) const {
  auto found = items_.find(id);
  CHECK(found != items_.end() && found->second.out);
  return found->second.held;
}

void Deliveries::again(Id id, Verdict::Kind kind, std::chrono::milliseconds pause) {
  delivered(id);
  Item& item = items_.at(id);
  item.out = false;
  --out_;
  if (kind == Verdict::Kind::kFailed) ++item.held.attempts;
  if (stopped_) return;
  later_.emplace(loop_.now() + pause, id);
  timer_.arm(Deadline::at(later_.begin()->first));
}

void Deliveries::done(Id id) {
  delivered(id);
  auto item = items_.extract(id);
  --out_;
  leave_lane(item.mapped().lane);
}

bool Deliveries::forget(Id id) {
  auto found = items_.find(id);
  CHECK(found != items_.end());
  if (found->second.out) return false;
  auto item = items_.extract(found);
  ready_.erase(id);
  auto fresh = std::ranges::lower_bound(fresh_, id);
  if (fresh != fresh_.end() && *fresh == id) fresh_.erase(fresh);
  std::erase_if(later_, [&](const auto& each) { return each.second == id; });
  // Its turn goes on only where it had it.
  auto lane = lanes_.find(item.mapped().lane);
  bool waited = lane != lanes_.end() && lane->second.erase(id) > 0;
  if (!waited) leave_lane(item.mapped().lane);
  return true;
}

// Who had the lane's turn is gone: the next one has it.
void Deliveries::leave_lane(const std::string& name) {
  auto lane = lanes_.find(name);
  if (lane == lanes_.end()) return;
  if (lane->second.empty()) {
    lanes_.erase(lane);
  } else if (!stopped_) {
    ready_.insert(*lane->second.begin());
    lane->second.erase(lane->second.begin());
  }
}

void Deliveries::due() {
  auto now = loop_.now();
  while (!later_.empty() && later_.begin()->first <= now) {
    ready_.insert(later_.begin()->second);
    later_.erase(later_.begin());
  }
  if (!later_.empty()) timer_.arm(Deadline::at(later_.begin()->first));
  bring();
}

void Deliveries::stop() {
  stopped_ = true;
  timer_.disarm();
  later_.clear();
  fresh_.clear();
  ready_.clear();
}

std::vector<Deliveries::Held> Deliveries::take_rest() {
  CHECK(stopped_);
  std::vector<Held> rest;
  for (auto& [id, item] : items_) {
    if (!item.out) rest.push_back(std::move(item.held));
  }
  std::erase_if(items_, [](const auto& each) { return !each.second.out; });
  lanes_.clear();
  std::ranges::sort(rest, {}, &Held::id);
  return rest;
}

}  // namespace weft::messaging
