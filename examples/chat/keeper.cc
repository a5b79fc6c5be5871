// What a message wakes: it goes into its room. One of a room after the other, as weft.toml says;
// one that fails is brought again.

#include "guest.hpp"
#include "rooms.h"
#include "weft/logging.h"

namespace messaging = weft::wit::wasmcloud::messaging_0_2_0;

namespace {

constexpr std::string_view kTopic = "chat.";

}  // namespace

std::expected<void, std::string> messaging::handler::exports::handle_message(
    messaging::types::BrokerMessage message) {
  std::string_view room = message.subject;
  room.remove_prefix(std::min(room.size(), kTopic.size()));
  std::string_view form(reinterpret_cast<const char*>(message.body.data()), message.body.size());
  auto said = chat::read_message(form);
  // Others may publish there too. What is no message does not become one by being tried again.
  if (!said || said->id.empty() || !chat::is_room(room)) {
    std::string why = said ? "it has no id, or its topic no room" : said.error();
    weft::log::warn("what came on " + message.subject + " is left out: " + why);
    return {};
  }
  auto rooms = chat::Rooms::open();
  if (!rooms) return std::unexpected(rooms.error().message);
  if (auto kept = rooms->keep(room, *said); !kept) return std::unexpected(kept.error().message);
  return {};
}
