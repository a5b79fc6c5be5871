#pragma once

#include <optional>
#include <thread>

#include "base/deadline.h"

namespace weft {

// SIGINT, SIGTERM and SIGHUP as something to wait for. Made by main before any thread, so that all
// of them inherit the mask; one per process. Also turns SIGPIPE and SIGXFSZ off: a closed peer
// and a file that may not grow are error codes.
//
// Until `hold` a signal ends the process at once with the shell's exit code, 128 and its number:
// nobody waits for one while a program compiles or a store is opened, and whoever presses Ctrl-C
// does.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  ~StopSignals() { hold(); }

  // From here on signals are kept for `wait`. Before anything begins that has to end in order.
  void hold();

  // Blocks until one arrives and returns its number; nothing when the deadline passes first. A
  // second signal during the shutdown is found by another wait. The SIGHUP of a terminal that goes
  // away comes as SIGTERM: SIGHUP is what somebody sent.
  std::optional<int> wait(Deadline deadline = Deadline::never());

  // From any thread: one wait, the current or the next, returns nothing.
  void interrupt();

 private:
  std::thread until_held_;
};

// Says on stderr why the process ends when a mapped file fails under it, and lets it end: cut short
// by somebody else (SIGBUS), or with contents that lead a reader astray (SIGSEGV within the life of
// a MappedRead). Called before the engine installs its own handlers, which pass on what is no
// guest's.
void explain_mapped_faults();

// In a new process, before it is another program: every signal does what it does by default, and
// none is blocked. System calls alone, so that a vfork may make them.
void reset_signals();

// While it lives, this thread reads or writes the mapped file `path`, which outlives it. They nest.
class MappedRead {
 public:
  explicit MappedRead(const char* path);
  MappedRead(const MappedRead&) = delete;
  ~MappedRead();

 private:
  const char* outer_;
};

}  // namespace weft
