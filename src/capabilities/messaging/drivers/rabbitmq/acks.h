#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "remote/amqp/method.h"

namespace weft::messaging::rabbitmq {

// The acknowledgements of one opening of a channel, put together: those before which nothing is
// open any more are one for the server. For a queue of a quorum each one that it gets is written to
// the disks of its replicas.
//
// Holds no more than the server may send without an acknowledgement.
class Acks {
 public:
  struct Ack {
    std::uint64_t tag = 0;
    remote::amqp::Multiple multiple = remote::amqp::Multiple::kNo;
    bool operator==(const Ack&) const = default;
  };

  // The server has sent it. In the order of the tags.
  void came(std::uint64_t tag) { open_.insert(open_.end(), tag); }
  // It is to be acknowledged, where it is open.
  void done(std::uint64_t tag);
  bool due() const { return !due_.empty(); }
  // What is to be written for those that are done since, in its order.
  std::vector<Ack> take();
  // The channel is another one.
  void clear();

 private:
  std::set<std::uint64_t> open_;
  std::vector<std::uint64_t> due_;
};

}  // namespace weft::messaging::rabbitmq
