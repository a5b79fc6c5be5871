#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "io/http/exchange.h"
#include "observe/metrics.h"
#include "observe/spans.h"
#include "observe/trap_log.h"

namespace weft {

// Requests under way of one loop that are shown at once; the others are counted.
inline constexpr std::size_t kLiveShown = 100;

// A request under way, as it is shown: its path is without a query, which may hold secrets.
struct LiveRequest {
  std::string request;
  std::string app;
  std::string component;
  std::string route;
  std::string method;
  std::string path;
  std::string peer;
  std::chrono::milliseconds age;
};

struct LiveRequests {
  std::vector<LiveRequest> shown;  // The oldest first.
  std::size_t count = 0;
};

// What the requests and calls of one loop go past: it counts, and where spans are exported it makes
// them.
//
// Made, used and destroyed on the loop's thread, but for `metrics` reads and the trap log. It
// outlives the server's connections.
class LoopObserver {
 public:
  // `ship` is empty where no spans are exported. The log is shared by all loops and outlives it.
  LoopObserver(Loop& loop, TrapLog& traps, SpanQueue::Ship ship);
  LoopObserver(const LoopObserver&) = delete;
  ~LoopObserver();

  LoopMetrics& metrics() { return metrics_; }
  const LoopMetrics& metrics() const { return metrics_; }
  TrapLog& traps() { return traps_; }
  // Null where no spans are exported.
  SpanQueue* spans() { return spans_.get(); }

  // A request came, and `meter` is of the route that takes it. Once each.
  void begin(HttpExchange& exchange, RouteMeter& meter);
  // It is complete. For one that was never begun nothing is counted.
  void end(const ExchangeSummary& summary);

  LiveRequests live() const;

 private:
  void add_span(const ExchangeSummary& summary, const RouteMeter& meter);

  Loop& loop_;
  LoopMetrics metrics_;
  TrapLog& traps_;
  std::unique_ptr<SpanQueue> spans_;
  ExchangeWatch live_;  // The head of a ring; the newest comes last.
};

}  // namespace weft
