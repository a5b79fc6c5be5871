#pragma once

#include <string>

#include "base/error.h"
#include "base/signal.h"
#include "cli/run_options.h"

namespace weft {

// The words of `weft record`: the recording, and what stands after `weft run`.
struct RecordWords {
  std::string file;
  RunWords run;
};
void add_record_options(CLI::App& verb, RecordWords& words);
// Runs apps as `weft run` does and writes the calls of their links down. The exit code is theirs.
Result<int> run_record(RecordWords& words, StopSignals& signals);

struct ReplayWords {
  std::string file;
  bool show = false;
  bool all_links = false;
  bool all_used = false;
  RunWords run;
};
void add_replay_options(CLI::App& verb, ReplayWords& words);
// Runs apps with their links served from a recording, or prints it. The exit code: theirs, or 1
// when a call was not in the recording.
Result<int> run_replay(ReplayWords& words, StopSignals& signals);

}  // namespace weft
