#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/drivers/cas_counters.h"
#include "capabilities/keyvalue/drivers/many.h"
#include "remote/etcd/client.h"

namespace weft::keyvalue::etcd {

// What a server takes unless it is told otherwise is 128 operations and 1.5 MiB in one transaction.
inline constexpr std::size_t kChangesMax = 128;
inline constexpr std::size_t kChangesBytesMax = 1'450UL << 10;
inline constexpr std::size_t kEtcdValueBytesMax = 1'400UL << 10;
// Writes of one loop to one bucket that wait for their turn, and their bytes.
inline constexpr std::size_t kWritesMax = 65'536;
inline constexpr std::size_t kWritesBytesMax = 256UL << 20;
inline constexpr std::size_t kPrefixBytesMax = 250;

struct Settings {
  remote::etcd::Settings server = {};
  std::string prefix = "weft";
};

// One bucket as a loop reaches it: what is read and written, in etcd's terms. Writes are made one
// transaction after the other; those that wait meanwhile go together in the next. Shared by the
// loop's buckets of that name; on its loop's thread.
class Keys final : public CasCounters {
 public:
  template <class T>
  using Done = std::move_only_function<void(Result<T>)>;

  // `prefix` is before each key, and nobody else's keys begin with it.
  Keys(std::shared_ptr<remote::etcd::Client> client, std::string prefix);

  struct Change {
    std::string key;
    std::optional<Bytes> value;  // Absent: the key is deleted.
  };
  struct Written {
    bool done = true;
    std::uint64_t revision = 0;  // Where it was done,
    Snapshot now = {};           // and what is there where it was not.
  };

  void read(std::string_view key, Deadline deadline, Done<Snapshot> done);
  // As many values as there are keys, all of one moment.
  void read_some(const std::vector<std::string>& keys, Deadline deadline, ReadMany::Done done);
  void exists(std::string_view key, Deadline deadline, Done<bool> done);
  void list(std::optional<std::string_view> cursor, Deadline deadline, Done<Page> done);
  // All of the changes or none: no more than fit in one transaction, each of another key.
  void write(std::vector<Change> changes, Deadline deadline, Done<Written> done);
  // The same for one key, if `version` is still what it has; 0: if it is absent.
  void swap(Change change, std::uint64_t version, Deadline deadline, Done<Written> done);

  // Of a change in a transaction.
  std::size_t bytes_of(const Change& change) const;

 private:
  struct Write {
    std::vector<Change> changes;
    std::optional<std::uint64_t> version;
    std::size_t bytes = 0;
    Deadline deadline;
    Done<Written> done;
  };

  void read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) override;
  void swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                  Done<std::uint64_t> done) override;

  void queue(Write write);
  void write_next();
  std::vector<Write> take_next();
  void answered(std::vector<Write> writes, Result<boost::json::object> answer);
  void append_key(std::string& body, std::string_view key) const;
  std::string transaction(const std::vector<Write>& writes) const;

  // Shared by all who use the loop's connections.
  const std::shared_ptr<remote::etcd::Client> client_;
  const std::string prefix_;
  std::deque<Write> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool writing_ = false;
};

}  // namespace weft::keyvalue::etcd
