#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/operable.h"

// What operators ask of a broker: `weft messages`.
namespace weft::messaging {

// Dead letters that are looked at for one answer: of ten groups that keep as many as they may.
inline constexpr std::size_t kLettersShownMax = 5'000;
// Numbers of dead letters in one wish.
inline constexpr std::size_t kReplayedMax = 5'000;

// The broker that is asked, and the groups for which triggers run on this host.
struct OperatedBroker {
  std::unique_ptr<Broker> broker;
  std::set<std::string> groups;
};

// The verbs, with the members of their arguments:
//
//   publish  topic, data (base64), metadata ([[KEY, VALUE], ...])   answers {}
//   tail     topic (a pattern)                                      tells a line a message
//   dead     group (may be missing), bodies                         answers {letters, more}
//   replay   group, numbers or all                                  answers {replayed, failed}
//
// kNotFound for `replay` to a group that has no trigger here: nothing can be brought to it.
// A line or a letter has topic, size, metadata, and data in base64 where bodies are wanted. Lines
// of `tail` that found no room are told as {"skipped": COUNT}.
std::unique_ptr<OperatorWork> operate(Loop& loop, OperatedBroker broker, std::string verb,
                                      std::string arguments, OperatorEvents events);

}  // namespace weft::messaging
