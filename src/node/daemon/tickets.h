#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/hash.h"
#include "node/object/request.h"
#include "node/wire/node_api.h"

namespace weft::node::daemon {

inline constexpr std::size_t kTicketsMax = 10'000;
// Of them, those of one group: the others leave room.
inline constexpr std::size_t kTicketsOfGroupMax = 1'000;
inline constexpr std::chrono::minutes kTicketLife{10};

// Who may move the chunks of one module: a number that nobody guesses, for a while.
//
// One a node; from any thread.
class Tickets {
 public:
  enum class Way : std::uint8_t { kRead, kWrite };
  struct Ticket {
    Hash module = {};
    std::string group = {};
    Way way = Way::kRead;
    UnixMs until = 0;
  };

  // kLimit where there are too many, in all or of the group.
  Result<Bytes> issue(Hash module, std::string group, Way way, UnixMs now);
  // kNotFound for one that is none, is over, or is for the other way.
  Result<Ticket> look(BytesView number, Way way, UnixMs now) const;

 private:
  using Number = std::array<std::uint8_t, wire::kTicketBytes>;

  mutable std::mutex mutex_;
  std::map<Number, Ticket> tickets_;
  std::map<std::string, std::size_t, std::less<>> of_group_;
};

}  // namespace weft::node::daemon
