#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capabilities/keyvalue/bucket.h"

namespace weft::keyvalue {

// Increments that wait on one loop for one bucket.
inline constexpr std::size_t kIncrementsMax = 65'536;

// Increments for servers that only compare and swap. Those of one key on one loop are added up and
// written together, so that they never get in each other's way; what another loop or host wrote in
// between is read, and added to anew, until the deadline of each.
//
// On its loop's thread. Held by whoever serves the bucket on the loop, as a shared object: an
// answer that comes after it went goes nowhere.
class CasCounters : public std::enable_shared_from_this<CasCounters> {
 public:
  virtual ~CasCounters() = default;

  Answer<std::int64_t> add(Request request, std::string_view key, std::int64_t delta);

 protected:
  template <class T>
  using Done = std::move_only_function<void(Result<T>)>;

  // What is there now. `version` may say more than for others: it is what `swap` is given.
  virtual void read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) = 0;
  // Writes the value when the key is still as `basis` says: answers its version then, else 0.
  virtual void swap_basis(const std::string& key, const Snapshot& basis, Bytes value,
                          Deadline deadline, Done<std::uint64_t> done) = 0;

 private:
  struct Waiting {
    std::int64_t delta;
    Deadline deadline;
    Promise<std::int64_t> promise;
  };
  struct Counter {
    std::vector<Waiting> waiting;
    bool running = false;
  };
  struct Round;

  void begin(const std::string& key);
  void read(std::shared_ptr<Round> round);
  void write(std::shared_ptr<Round> round, Snapshot basis);
  void end(const std::string& key);

  std::map<std::string, Counter, std::less<>> counters_;
  std::size_t waiting_ = 0;
};

}  // namespace weft::keyvalue
