#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "record/recording.h"

namespace weft {

// Calls asked for in vain that are shown, each once; others are counted.
inline constexpr std::size_t kMissingShown = 20;

// A function as a component imports it.
struct ImportName {
  std::string_view app;
  std::string_view component;
  std::string_view interface;
  std::string_view name;
};

// Says which recorded call answers the next one, and keeps the account of it.
//
// From any thread. Outlives what it gives.
class Replay {
 public:
  explicit Replay(Recording recording);

  // What is recorded of the function, in whatever version of its interface; null: nothing.
  const RecordedFunction* find(const ImportName& import) const;
  // From now on its calls are answered from here: those that nobody makes are told at the end.
  void serve(const ImportName& import);

  // The recorded call that answers: of those with the same arguments the first that did not yet, or
  // else the last. The failure names the call that was wanted and the nearest there is.
  Result<const RecordedCall*> answer(const ImportName& import, const Signature& signature,
                                     BytesView arguments);

  struct Report {
    std::uint64_t answered = 0;  // Calls.
    std::uint64_t missing = 0;   // Calls.
    std::size_t used = 0;        // Recorded calls, of those that are served and can be replayed.
    std::vector<std::string> unused = {};  // As text.
    std::size_t elsewhere = 0;             // Recorded calls of processes that nobody imports here.
    std::vector<std::string> wanted = {};  // What was missing; kMissingShown at most.
  };
  Report report() const;

 private:
  // The calls of one import with the same arguments.
  struct Series {
    std::vector<std::size_t> calls;
    std::size_t next = 0;
  };
  struct Track {
    std::size_t function = 0;
    bool served = false;
    std::map<std::string, Series, std::less<>> by_arguments = {};
  };

  static std::string key_of(const ImportName& import);
  std::string nearest(const Track& track, std::string_view wanted) const;

  const Recording recording_;
  mutable std::mutex mutex_;
  // Guarded, but for what is made in the constructor:
  std::map<std::string, Track, std::less<>> tracks_;
  std::vector<bool> used_;
  std::map<std::string, std::uint64_t, std::less<>> wanted_;
  std::uint64_t answered_ = 0;
  std::uint64_t missing_ = 0;
};

}  // namespace weft
