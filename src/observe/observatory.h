#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_name.h"
#include "io/loop.h"
#include "observe/admin_server.h"
#include "observe/host_facts.h"
#include "observe/loop_observer.h"
#include "observe/otlp.h"
#include "observe/trap_log.h"

namespace weft {

// Everything that watches one host: an observer on each of its loops, and a thread that serves the
// admin address.
//
// Made before anything is deployed on the loops, destroyed when nothing is any more, on a thread
// that is none of theirs.
class Observatory final : private HostView {
 public:
  // Where spans are sent to, and with what.
  struct Export {
    std::string endpoint;  // As otlp_endpoint gives it.
    HttpClientOptions http_client = {};
  };

  // `loops` are the host's, run, and outlive it, as does `view`.
  Observatory(Loops& loops, HostView& view, std::optional<Export> exporting);
  ~Observatory() override;

  LoopObserver& of(std::size_t loop) { return *observers_[loop]; }

  // Opens the admin address. Its URL. `spy`, which may be null, has the calls that are told to
  // those who watch, and `calls`, which may be null too, makes those that are asked for; both
  // outlive this.
  Result<std::string> serve(HttpAddress address, SpyQueue* spy = nullptr,
                            AdminCalls* calls = nullptr);

 private:
  HostFacts facts() override;
  std::shared_ptr<const std::string> apps() override { return view_.apps(); }

  Loops& loops_;
  HostView& view_;
  TrapLog traps_;
  Loops own_{{.count = 1, .started = [](Loop&) { name_thread("weft-admin"); }}};
  std::unique_ptr<OtlpExporter> exporter_;  // Null where no spans are exported.
  std::vector<std::unique_ptr<LoopObserver>> observers_;
  std::unique_ptr<AdminServer> admin_;
};

}  // namespace weft
