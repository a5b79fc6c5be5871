#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/edition.h"
#include "app/listen_address.h"
#include "io/http/server.h"
#include "io/http_client/options.h"
#include "io/pool.h"
#include "observe/admin_calls.h"
#include "observe/host_facts.h"
#include "observe/observatory.h"
#include "triggers/http/access_log.h"

namespace weft {

class LoopSide;

// How many earlier editions may still finish requests, on all loops together.
inline constexpr std::size_t kRetiringMax = 64;
// How long a reload waits for one of them to end when there are so many.
inline constexpr std::chrono::seconds kRetiringWait{10};
// Threads that read static files.
inline constexpr std::size_t kFileThreads = 2;
// How often a loop looks whether one has ended.
inline constexpr std::chrono::milliseconds kRetiringLook{20};

// How long guests that go on after their last response have for that when the host stops.
inline constexpr std::chrono::seconds kAfterwards{5};

// How many decks of earlier editions there are, and the wait for fewer.
struct RetiringDecks {
  // Where an edition ends when its last deck has gone: it may wait for its providers' processes.
  Pool endings{{.threads = 1}};
  std::mutex mutex;
  std::condition_variable fewer;
  std::size_t count = 0;  // Guarded.
};

// Serves an edition on every loop, and puts a newer one in its place while requests come.
//
// Made, used and destroyed on one thread that is none of the loops'.
class Host final : private HostView, private AdminCalls {
 public:
  struct Options {
    std::optional<ListenAddress> listen = {};  // In the place of the operator's file.
    std::string access_log = {};               // Likewise.
    std::optional<ListenAddress> admin = {};   // Likewise; absent in both: there is none.
    // Where the calls of the edition's components are told, for those who watch; may be null, as
    // its `tap` has it. Outlives the host.
    SpyQueue* spy = nullptr;
    bool spy_values = false;             // On loopback, where the operator's file does not say.
    bool calls = false;                  // Likewise: whether weft call --at is answered.
    std::string otlp_endpoint = {};      // Where spans are sent to; empty: nowhere.
    HttpClientOptions http_client = {};  // What guests' own requests are sent with.
  };

  // Listens as the edition's environment or the options say. `sources` are what it was made of;
  // runtime, capabilities and loops outlive the host, and the loops run.
  static Result<std::unique_ptr<Host>> start(Runtime& runtime, const CapabilityTable& capabilities,
                                             Loops& loops, EditionSources sources,
                                             std::shared_ptr<const Edition> edition,
                                             const Options& options);
  // Breaks off what is left.
  ~Host() override;

  // One for each address, in the order in which they were named.
  std::vector<std::string> urls() const;
  const Edition& edition() const { return *edition_; }
  // Of the admin address; empty where there is none.
  const std::string& admin_url() const { return admin_url_; }

  // Reads the sources again and serves what they say now: requests that come from then on get it,
  // those in flight finish on what they began with. False when anything is wrong, which `problems`
  // says: then all is as before.
  bool reload(Problems& problems);

  // From now on whoever asks for HTML gets this page, with status 500, and everybody else what is
  // served. Empty: no page. By who may call reload.
  void show_instead(const std::string& page);

  // Stops accepting, lets requests in flight finish, and then for kAfterwards guests that go on
  // after their response. kTimeout when some are left at the deadline.
  Result<void> drain(Deadline deadline);

 private:
  Host(Runtime& runtime, const CapabilityTable& capabilities, Loops& loops);

  Result<void> watch(const Options& options);
  void let_admin(const Environment& environment);
  Result<void> listen(const Options& options);
  void count_programs(const Edition& edition);
  HostFacts facts() override;
  std::shared_ptr<const std::string> apps() override;
  bool may_call() const override { return may_call_.load(); }
  std::uint64_t begin(AdminCall call, AdminCallEvents events) override;
  void cancel(std::uint64_t number) override;
  bool reload_now(Problems& problems);
  bool wait_for_room();
  void tell_what_stays(const Edition& next, Problems& problems) const;

  Runtime& runtime_;
  const CapabilityTable& capabilities_;
  Loops& loops_;
  EditionSources sources_;
  std::shared_ptr<const Edition> edition_;  // Shared with the decks.
  SpyQueue* spy_ = nullptr;
  bool spy_values_ = false;
  bool calls_ = false;
  std::atomic<bool> may_call_ = false;
  RetiringDecks retiring_;
  std::optional<Deadline> afterwards_;        // Once no request is left of a host that stops.
  std::unique_ptr<Observatory> observatory_;  // Null where nobody watches.
  std::string admin_url_;
  // No call is posted to a loop once its side goes.
  std::mutex calls_mutex_;
  bool calls_over_ = false;        // Guarded.
  std::uint64_t calls_begun_ = 0;  // Guarded.
  std::mutex facts_mutex_;
  HostFacts facts_;                          // Guarded.
  std::shared_ptr<const std::string> apps_;  // Guarded; shared with answers under way.
  HttpServer* counted_ = nullptr;            // Guarded: whose connections are counted.
  Pool pool_{{.threads = kFileThreads}};
  std::shared_ptr<TlsContext> tls_;  // Shared with the listeners.
  std::unique_ptr<AccessLogFile> log_file_;
  std::vector<std::unique_ptr<LoopSide>> sides_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace weft
