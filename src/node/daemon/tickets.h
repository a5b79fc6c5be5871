#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"
#include "node/object/key.h"
#include "node/object/request.h"
#include "node/wire/node_api.h"

namespace weft::node::daemon {

inline constexpr std::size_t kTicketsMax = 10'000;
// Of them, those of one group: the others leave room.
inline constexpr std::size_t kTicketsOfGroupMax = 1'000;
inline constexpr std::chrono::minutes kTicketLife{10};

// Whoever uses one when it ends is counted still.
inline constexpr std::chrono::minutes kTicketCounted{1};

// Who may move the chunks of one module: a number that nobody guesses, for a while. What moved is
// counted until somebody takes it, for the bill.
//
// One a node; from any thread.
class Tickets {
 public:
  enum class Way : std::uint8_t { kRead, kWrite };
  struct Ticket {
    Hash module = {};
    std::string group = {};
    Way way = Way::kRead;
    PublicKey requester = {};
    Hash request = {};  // That it was issued for.
    UnixMs until = 0;
  };
  // Bytes of chunks, as the quota has them.
  struct Moved {
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
  };

  // For kTicketLife. kLimit where there are too many, in all or of the group.
  Result<Bytes> issue(Ticket ticket, UnixMs now);
  // Of one that nobody was told.
  void take_back(BytesView number);
  // kNotFound for one that is none, is over, or is for the other way.
  Result<Ticket> look(BytesView number, Way way, UnixMs now) const;
  void count(BytesView number, Moved moved);
  // Of the next ticket of which something moved, what did since it was taken last; nothing behind
  // the last of them, and then from the first one on again.
  std::optional<std::pair<Ticket, Moved>> take_moved(UnixMs now);

 private:
  using Number = std::array<std::uint8_t, wire::kTicketBytes>;
  struct Entry {
    Ticket ticket;
    Moved moved = {};
  };

  static Number number_of(BytesView number);
  // Those that are over and of which nothing is to be told. With the lock.
  void drop_old(UnixMs now);

  mutable std::mutex mutex_;
  std::map<Number, Entry> tickets_;
  Number taken_ = {};  // Of which it was taken last.
  std::map<std::string, std::size_t, std::less<>> of_group_;
};

}  // namespace weft::node::daemon
