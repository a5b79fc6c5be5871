#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "door/codec.h"

// How a capability wakes components: what a trigger says, what it calls, and what it is while it
// does.
namespace weft {

class Loop;
struct Offer;
struct TriggerMeter;
struct Use;

// What a developer wrote of a trigger beside its component, checked to be the trigger's keys.
struct TriggerSettings {
  std::vector<std::pair<std::string, std::string>> values = {};

  // Null: it is not there.
  const std::string* find(std::string_view key) const {
    for (const auto& [name, value] : values) {
      if (name == key) return &value;
    }
    return nullptr;
  }
};

// What is wrong with a trigger: which of its keys, empty where it is no one of them, what was
// found, and what to write; that may be empty. With a warning it can be there all the same.
struct TriggerProblem {
  enum class Weight : unsigned char { kError, kWarning };
  std::string key;
  std::string found;
  std::string write = {};
  Weight weight = Weight::kError;
};
using TriggerProblems = std::vector<TriggerProblem>;

// Takes a value of a key; where there is none, that is a problem, and `into` stays.
template <class T>
void take_or_note(TriggerProblems& problems, std::string_view key, Result<T> from, T& into) {
  if (from) {
    into = *std::move(from);
  } else {
    problems.push_back({std::string(key), from.error().message()});
  }
}
inline void note(TriggerProblems& problems, std::string_view key, const Result<void>& from) {
  if (!from) problems.push_back({std::string(key), from.error().message()});
}

// Two triggers of one app, each well by itself.
struct TriggerPair {
  const TriggerSettings& one;
  const TriggerSettings& before;
  // Whether both wake one component.
  enum class Wake : unsigned char { kOneComponent, kTwo } wake;
};

// A trigger in words, for whoever starts a host or watches one.
struct TriggerWords {
  std::string on = {};     // What it waits for: "orders.*", "every 15m".
  std::string group = {};  // Whose messages it is brought; empty where there are no groups.
  std::string more = {};   // "above 24", "next 2026-11-26 18:30:00+01:00"
};

// What waits for those whom triggers wake, as a driver knows it.
struct Backlog {
  std::string app;
  std::string name;  // Of the capability's: a broker.
  std::string group;
  std::uint64_t waiting = 0;
};

// Calls the functions of one interface that a component exports, in an instance of its own each
// time or in one that is used again, as the trigger says (`instances`). On one loop; outlives the
// subscription that calls.
class HandlerCalls {
 public:
  // Writes the parameters; resources go into the instance's own table.
  using Arguments = std::move_only_function<void(Writer& out)>;
  // Reads the result, where the function returned.
  using Replied = std::move_only_function<void(Reader& in)>;
  // It returned, or why not: kTrap, kTimeout or kLimit of its own, kUnavailable where there is no
  // room for an instance now. Called later, never inside `call`.
  using Ended = std::move_only_function<void(Result<void>)>;

  virtual ~HandlerCalls() = default;
  // `ordinal`: the place of the function in the handler's offer.
  virtual void call(std::size_t ordinal, Arguments arguments, Replied replied, Ended ended) = 0;
};

// For whom a subscription is made. All that is borrowed outlives it.
struct Waking {
  Loop& loop;
  std::string_view app;
  std::string_view component;
  const Use& use;
  const Offer& handler;  // One of Capability::handlers().
  const TriggerSettings& settings;
  HandlerCalls& calls;
  TriggerMeter* meter = nullptr;  // Counts its runs; null: nobody watches.
};

// What calls a component whenever something happens, from its making until it is stopped. On one
// loop.
class Subscription {
 public:
  virtual ~Subscription() = default;
  // Begins no call any more. What was begun may end.
  virtual void stop() = 0;
  // Whether no call is under way.
  virtual bool idle() const = 0;
};

}  // namespace weft
