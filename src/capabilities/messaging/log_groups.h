#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/log.h"
#include "io/task.h"

// What is done with the groups of a log as wholes, beside their queues: they are counted, and
// forgotten with all that the store has of them.
namespace weft::messaging {

// A log, and its bucket as one loop reaches it. The bucket goes with its broker, on its loop,
// whatever is under way then: what a task waits for must not keep it beyond that.
struct LogSite {
  Loop& loop;
  std::shared_ptr<Log> log;
  std::weak_ptr<keyvalue::Bucket> bucket;
};

// One of dead letters that a log has, in the order of their keys.
struct LetterKey {
  std::string key;
  std::string group;
};

// The keys after `cursor` which are those of dead letters, a page of them. `cursor` is nothing
// after the last.
struct LetterPage {
  std::vector<LetterKey> letters;
  std::optional<std::string> cursor;
};
// Where the letters of all groups begin.
inline constexpr std::string_view kLettersBegin = "dead/";
Task<LetterPage> list_letters(LogSite site, Deadline deadline, std::string cursor);

Task<std::vector<KnownGroup>> known_groups(LogSite site, Deadline deadline, Counted counted);
// kConflict: its trigger runs; kNotFound: there is none, and none of its letters.
Task<Forgotten> forget_group(LogSite site, Deadline deadline, std::string group);
// Forgets those whose triggers have not run for as long as groups are kept. What fails is told.
Task<void> forget_old_groups(LogSite site);
// Erases all messages that no group needs: it looks at each that there is.
Task<void> erase_unneeded(LogSite site, Deadline deadline);

}  // namespace weft::messaging
