#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "capabilities/messaging/broker.h"
#include "capabilities/operable.h"

// What operators ask of a broker: `weft messages`.
namespace weft::messaging {

// Dead letters that are looked at for one answer: of ten groups that keep as many as they may.
inline constexpr std::size_t kLettersShownMax = 5'000;
// Numbers of dead letters in one wish.
inline constexpr std::size_t kReplayedMax = 5'000;

// The broker that is asked, and the groups for which triggers run on this host, with their
// patterns.
struct OperatedBroker {
  std::unique_ptr<Broker> broker;
  std::map<std::string, std::string> groups;
};

// The verbs, with the members of their arguments:
//
//   publish  topic, data (base64), metadata ([[KEY, VALUE], ...])   answers {groups, all}
//   tail     topic (a pattern)                                      tells a line a message
//   dead     group (may be missing), bodies                         answers {letters, more}
//   replay   group, numbers or all                                  answers {replayed, failed,
//   more} groups                                                          answers {groups, all}
//   forget   group                                                  answers {messages, letters}
//
// kNotFound for `dead` of a group that nobody knows, and for `replay` to one that has no trigger
// here: nothing can be brought to it. kConflict for `forget` of one that has.
// A line or a letter has topic, size, metadata, and data in base64 where bodies are wanted. Lines
// of `tail` that found no room are told as {"skipped": COUNT}. The groups of `publish` are the
// names of those that want the topic. One of `groups` has group, topic and runs, and where the
// broker knows them all (`all`) backlog, dead, position, seen-ms and idle-seconds; otherwise they
// are those of triggers that run here.
std::unique_ptr<OperatorWork> operate(Loop& loop, OperatedBroker broker, std::string verb,
                                      std::string arguments, OperatorEvents events);

}  // namespace weft::messaging
