#pragma once

// For src/engine's own sources: outgoing HTTP of the guests on one loop.

#include <memory>
#include <string_view>
#include <unordered_map>

#include "engine/bridge_host.h"
#include "engine/engine_loop.h"
#include "engine/net_gate.h"
#include "io/http_client/http_client.h"
#include "observe/loop_observer.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft {

// The loop's client and what guests send through it.
//
// Made at the first request, kept by the EngineLoop. A guest that is gone wakes its transfers, and
// each drops itself; those that are left go with the loop.
class Outgoing final : public EngineLoop::Extension {
 public:
  static Outgoing& of(EngineLoop& engine);
  explicit Outgoing(EngineLoop& engine);
  ~Outgoing() override;

  // Who sends: its deployment, which outlives the loop's transfers as the observer does, and where
  // the request that it serves stands in a trace.
  struct Sender {
    LoopObserver* observer = nullptr;  // Both or neither.
    ComponentMeter* meter = nullptr;
    TraceContext trace = {};
    std::string_view trace_state = {};  // Read before `send` returns.
  };

  // Checks the request against the rules and begins it. What comes of it, refusals included, goes
  // to `guest`. A guest that has set no `traceparent` sends the sender's.
  void send(const bridge::OutgoingRequest& request, rust::Box<bridge::OutgoingTransfer> guest,
            const std::shared_ptr<NetGate>& gate, Sender sender);

 private:
  class Sending;

  void carry_on(HttpHeaders& headers, Sender& sender);

  EngineLoop& engine_;
  HttpClient client_;
  TraceIds ids_;
  std::unordered_map<Sending*, std::unique_ptr<Sending>> sendings_;
};

}  // namespace weft
