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

Answer<std::vector<KnownGroup>> Broker::groups(Request, Counted) {
  return Error(Errc::kUnsupported,
               "the broker's driver does not know all its groups: its server may list them");
}

Answer<Forgotten> Broker::forget(Request, std::string) {
  return Error(Errc::kUnsupported,
               "the broker's driver forgets no group: its server may delete it");
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

std::string no_group(const std::string& group) {
  return fmt::format("there is no group \"{}\"", group);
}

std::string group_runs(const std::string& group) {
  return fmt::format(
      "the trigger of the group \"{}\" runs here, and would make it anew: take the "
      "trigger out of the app first",
      group);
}

}  // namespace weft::messaging
