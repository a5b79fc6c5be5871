#include "capabilities/keyvalue/drivers/cas_counters.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weft::keyvalue {

// The increments of one key that are written together. Shared by the steps of the round, of which
// one is under way.
struct CasCounters::Round {
  std::string key;
  std::vector<Waiting> adding;
  std::vector<std::int64_t> sums;

  // The one of those that wait longest.
  Deadline deadline() const {
    Deadline last = adding.front().deadline;
    for (const Waiting& each : adding) {
      if (each.deadline.when() > last.when()) last = each.deadline;
    }
    return last;
  }
  void fail(const Error& error) {
    for (Waiting& each : adding) std::move(each.promise).fulfil(std::unexpected(error));
    adding.clear();
  }
  // Takes out those who wait no more, before anything is written for them, and says how many.
  std::size_t drop_late() {
    return std::erase_if(adding, [](Waiting& each) {
      if (!each.deadline.passed()) return false;
      std::move(each.promise)
          .fulfil(failure(Errc::kTimeout, "the deadline passed before the counter was written"));
      return true;
    });
  }
};

Answer<std::int64_t> CasCounters::add(Request request, std::string_view key, std::int64_t delta) {
  if (request.deadline.passed()) return failure(Errc::kTimeout, "the deadline has passed");
  if (waiting_ >= kIncrementsMax) {
    return failure(Errc::kLimit, fmt::format("{} increments wait already", kIncrementsMax));
  }
  Promise<std::int64_t> promise;
  Answer<std::int64_t> answer = promise.answer();
  Counter& counter = counters_[std::string(key)];
  counter.waiting.push_back({delta, request.deadline, std::move(promise)});
  ++waiting_;
  if (!counter.running) begin(std::string(key));
  return answer;
}

void CasCounters::begin(const std::string& key) {
  Counter& counter = counters_[key];
  counter.running = true;
  auto round = std::make_shared<Round>(key);
  round->adding = std::exchange(counter.waiting, {});
  read(std::move(round));
}

void CasCounters::read(std::shared_ptr<Round> round) {
  waiting_ -= round->drop_late();
  if (round->adding.empty()) return end(round->key);
  Deadline deadline = round->deadline();
  read_basis(round->key, deadline,
             [weak = weak_from_this(), round](Result<Snapshot> basis) mutable {
               auto self = weak.lock();
               if (self == nullptr) return;
               if (basis) return self->write(std::move(round), *std::move(basis));
               self->waiting_ -= round->adding.size();
               round->fail(basis.error());
               self->end(round->key);
             });
}

void CasCounters::write(std::shared_ptr<Round> round, Snapshot basis) {
  std::size_t before = round->adding.size();
  round->drop_late();
  Result<std::int64_t> sum = basis.value ? read_counter(*basis.value) : 0;
  round->sums.clear();
  // What does not fit fails alone, and counts for nothing.
  std::erase_if(round->adding, [&](Waiting& each) {
    Result<std::int64_t> next = sum ? add_counter(*sum, each.delta) : sum;
    if (!next) {
      std::move(each.promise).fulfil(std::move(next));
      return true;
    }
    sum = next;
    round->sums.push_back(*next);
    return false;
  });
  waiting_ -= before - round->adding.size();
  if (round->adding.empty()) return end(round->key);
  swap_basis(round->key, basis, write_counter(*sum), round->deadline(),
             [weak = weak_from_this(), round](Result<std::uint64_t> version) mutable {
               auto self = weak.lock();
               if (self == nullptr) return;
               if (version && *version == 0) return self->read(std::move(round));
               self->waiting_ -= round->adding.size();
               if (!version) {
                 round->fail(version.error());
               } else {
                 for (std::size_t i = 0; i < round->adding.size(); ++i) {
                   std::move(round->adding[i].promise).fulfil(round->sums[i]);
                 }
               }
               self->end(round->key);
             });
}

void CasCounters::end(const std::string& key) {
  auto counter = counters_.find(key);
  if (!counter->second.waiting.empty()) return begin(key);
  counters_.erase(counter);
}

}  // namespace weft::keyvalue
