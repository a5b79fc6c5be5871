// Woken by each message of orders.*: counts them by topic. What comes without data is no order, and
// a failure of the store has the message come again.

#include <cstdio>

#include "weft/keyvalue.h"
#include "weft/message_handler.h"

weft::Result<> weft::messaging::handle(const Incoming& incoming) {
  // Never again: trying once more does not mend it. `weft messages dead` shows it.
  if (incoming.message.data.empty()) return failure(Code::kDenied, "an order without data");
  auto bucket = keyvalue::open("counts");
  auto count = bucket ? bucket->increment(incoming.topic) : std::unexpected(bucket.error());
  if (!count) return std::unexpected(count.error());
  std::printf("%s number %llu: %s\n", incoming.topic.c_str(),
              static_cast<unsigned long long>(*count), incoming.message.data.c_str());
  return {};
}
