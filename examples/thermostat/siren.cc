// Keeps under "alarm" what is wrong, and nothing when all is well again.

#include <cstdio>

#include "guest.hpp"
#include "weft/keyvalue.h"

namespace handler = weft::wit::wasmcloud::messaging_0_2_0::handler;

std::expected<void, std::string> handler::exports::handle_message(handler::BrokerMessage message) {
  std::string text(message.body.begin(), message.body.end());
  std::printf("%s: %s\n", message.subject.c_str(), text.c_str());
  auto bucket = weft::keyvalue::open("");
  if (!bucket) return std::unexpected(bucket.error().message);
  bool on = message.subject == "alarm.on";
  auto kept = on ? bucket->set("alarm", text) : bucket->remove("alarm");
  if (!kept) return std::unexpected(kept.error().message);
  return {};
}
