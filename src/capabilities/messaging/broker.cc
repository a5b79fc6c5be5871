#include "capabilities/messaging/broker.h"

#include <fmt/format.h>

#include "capabilities/messaging/replays.h"

namespace weft::messaging {

Answer<void> Broker::replay(Request, std::string, std::uint64_t) {
  return Error(Errc::kUnsupported, "the broker's driver brings no dead letter to its group again");
}

Result<std::unique_ptr<Watch>> Broker::watch(std::string, std::function<void(Message)>) {
  return failure(Errc::kUnsupported, "the broker's driver cannot show what is published");
}

std::string no_letter(const std::string& group, std::uint64_t number) {
  return fmt::format("there is no dead letter {} of the group {}", number, group);
}

std::string being_replayed(std::uint64_t number) {
  return fmt::format("the dead letter {} is being brought again already", number);
}

std::string no_trigger(const std::string& group) {
  return fmt::format("no trigger of the group {} runs here: nobody would take it", group);
}

}  // namespace weft::messaging
