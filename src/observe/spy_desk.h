#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "io/http/exchange.h"
#include "io/loop.h"
#include "io/timer.h"
#include "observe/spy_lines.h"
#include "observe/spy_queue.h"

namespace weft {

// Who may watch at once; more are answered with 503.
inline constexpr std::size_t kSpiesMax = 8;
// How often they are told what came.
inline constexpr std::chrono::milliseconds kSpyStep{50};
// What waits for one of them; lines beyond it are lost to it.
inline constexpr std::size_t kSpyPendingMax = std::size_t{1} << 20;
// An empty line after so long without a call, so that either side notices when the other is gone.
inline constexpr std::chrono::seconds kSpyBeat{1};

// Tells those who watch of calls: a line of JSON each, in a response without an end. What a client
// does not take in time is lost to it, and it is told how much.
//
// On the admin server's loop only. While nobody watches it does nothing.
class SpyDesk {
 public:
  SpyDesk(Loop& loop, SpyQueue& queue);
  SpyDesk(const SpyDesk&) = delete;
  // Breaks the responses off.
  ~SpyDesk();

  bool full() const { return spies_.size() >= kSpiesMax; }
  // Takes the request over: its response has begun, and what is written to it are lines.
  void seat(HttpExchange::Ptr exchange, SpyFilter filter);

 private:
  // One who watches.
  struct Spy final : ExchangeEvents {
    Spy(HttpExchange::Ptr taken, SpyFilter wanted)
        : exchange(std::move(taken)), filter(std::move(wanted)) {
      exchange->listen(this);
    }
    HttpExchange::Ptr exchange;
    SpyFilter filter;
    std::string pending = {};  // Not taken by the wire yet.
    std::uint64_t lost = 0;
    Deadline beat = Deadline::after(kSpyBeat);

    void tell(std::string_view line);
    void pump();
    void on_writable() override { pump(); }
  };

  void step();

  SpyQueue& queue_;
  SpyLines lines_;
  std::list<Spy> spies_;
  Timer step_;
};

}  // namespace weft
