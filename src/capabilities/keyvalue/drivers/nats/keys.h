#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/drivers/cas_counters.h"
#include "io/timer.h"
#include "remote/nats/client.h"
#include "remote/nats/jetstream.h"
#include "remote/nats/streams.h"

namespace weft::keyvalue::nats {

using remote::nats::Streams;

// The markers of deleted keys that one loop has to take away for one bucket. Beyond it the oldest
// goes before its time.
inline constexpr std::size_t kMarkersMax = 10'000;
// Reads and writes of one loop that wait for a bucket to be made.
inline constexpr std::size_t kWaitingMax = 131'072;

// Of the most that a server takes (max_payload), what stands beside a value.
inline constexpr std::size_t kBesideValue = 256;

struct Settings {
  remote::nats::Settings server = {};
  std::string prefix = "weft";
  unsigned replicas = 1;
  // How long others can see that a key was deleted.
  std::chrono::milliseconds marker_stays{60'000};
};

// One bucket of JetStream's as a loop reaches it: its stream, which is made before it is used
// first, and what is read from and written to it. Shared by the loop's buckets of that name; on its
// loop's thread.
class Keys final : public CasCounters {
 public:
  template <class T>
  using Done = std::move_only_function<void(Result<T>)>;

  // What is there of a key: `version` is the message's number in the stream, also where it is the
  // marker of a key that was deleted. 0: nothing.
  using Found = Snapshot;

  Keys(std::shared_ptr<remote::nats::Client> client, std::shared_ptr<const Settings> settings,
       std::shared_ptr<Streams> streams, std::string name);

  // Calls back when the stream is there, at once where it is; later where that is to be found out,
  // with what kept it from being made.
  void ready(Done<void> done);
  // What follows takes keys as NATS has them.
  void read(const std::string& key, Deadline deadline, Done<Found> done);
  struct Change {
    std::optional<Bytes> value = {};             // Absent: the key is deleted.
    std::optional<std::uint64_t> expected = {};  // What `version` has to be still.
  };
  // Answers the message's number, or 0 where `expected` was not met.
  void write(const std::string& key, Change change, Deadline deadline, Done<std::uint64_t> done);

  const std::string& name() const { return name_; }
  const std::shared_ptr<remote::nats::Client>& client() const { return client_; }
  std::string subject(std::string_view key) const;

 private:
  void read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) override;
  void swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                  Done<std::uint64_t> done) override;

  void fail(Done<std::uint64_t> done, Error error);
  void find_stream();
  void make_stream(std::unique_ptr<Streams::Making> making);
  void stream_found(Result<void> found);
  void publish(remote::nats::Outgoing message, Deadline deadline, Done<std::uint64_t> done);
  void forget_marker(std::string subject, std::uint64_t sequence);
  void take_markers_away();
  void take_away(const std::string& subject, std::uint64_t sequence);

  struct Marker {
    std::string subject;
    std::uint64_t sequence;
    Deadline end;
  };
  // Shared by all who use the loop's connection.
  const std::shared_ptr<remote::nats::Client> client_;
  const std::shared_ptr<const Settings> settings_;  // Shared by all loops.
  const std::shared_ptr<Streams> streams_;          // Likewise.
  const std::string name_;
  const std::string message_prefix_;
  std::uint64_t next_message_ = 1;
  bool there_ = false;
  bool finding_ = false;
  // What waits for the stream to be there, in its order.
  std::deque<Done<void>> waiting_;
  std::deque<Marker> markers_;
  Timer markers_timer_;
};

}  // namespace weft::keyvalue::nats
