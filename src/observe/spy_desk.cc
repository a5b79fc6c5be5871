#include "observe/spy_desk.h"

#include <fmt/format.h>

#include <utility>

#include "base/bytes.h"

namespace weft {

SpyDesk::SpyDesk(Loop& loop, SpyQueue& queue) : queue_(queue), step_(loop, [this] { step(); }) {}

SpyDesk::~SpyDesk() {
  queue_.watch(false);
}

void SpyDesk::seat(HttpExchange::Ptr exchange, SpyFilter filter) {
  if (spies_.empty()) {
    queue_.watch(true);
    step_.arm(Deadline::after(kSpyStep));
  }
  spies_.emplace_back(std::move(exchange), std::move(filter));
  // The head leaves with the first bytes: who watches knows from when on.
  spies_.back().tell("\n");
  spies_.back().pump();
}

// What waits for the client already is not added to without an end.
void SpyDesk::Spy::tell(std::string_view line) {
  if (pending.size() + line.size() > kSpyPendingMax) {
    ++lost;
    return;
  }
  if (lost > 0) pending += fmt::format("{{\"lost\":{}}}\n", std::exchange(lost, 0));
  pending += line;
  beat = Deadline::after(kSpyBeat);
}

void SpyDesk::Spy::pump() {
  std::string_view left = pending;
  while (!left.empty()) {
    std::string_view part = left.substr(0, exchange->writable());
    if (part.empty()) break;
    exchange->write(as_bytes(part));
    left.remove_prefix(part.size());
  }
  pending.erase(0, pending.size() - left.size());
}

void SpyDesk::step() {
  std::erase_if(spies_, [](const Spy& each) { return each.exchange->gone(); });
  if (spies_.empty()) return queue_.watch(false);
  SpyQueue::Taken taken = queue_.take();
  for (const SpiedCall& call : taken.calls) {
    std::string line;
    for (Spy& each : spies_) {
      if (!each.filter.takes(call)) continue;
      if (line.empty()) line = lines_.line(call);
      each.tell(line);
    }
  }
  for (Spy& each : spies_) {
    each.lost += taken.lost;
    if (each.lost > 0) each.tell("");
    if (each.beat.passed()) each.tell("\n");
    each.pump();
  }
  step_.arm(Deadline::after(kSpyStep));
}

}  // namespace weft
