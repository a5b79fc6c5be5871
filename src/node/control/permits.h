#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weft::node::control {

enum class Verb : std::uint8_t { kLook, kDrain, kStop, kChange, kTrust };
std::string_view to_string(Verb verb);

// Who asks at a Unix socket, by the kernel's word.
struct Asker {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);

  // Of an exchange's peer: "unix:uid=1000,gid=100,pid=4711". Nobody, where it is none.
  static Asker parse(std::string_view peer);
};

// Who may use which verb: users by name, "@group" for groups, by the verb's name.
using Permits = std::map<std::string, std::vector<std::string>, std::less<>>;

// The user that this process runs as and root may everything; whoever else is written, that. Looks
// users and groups up, which may wait for the system.
bool may(const Permits& permits, Verb verb, const Asker& who);
// What is written there, and this machine knows no user or group of the name: "alcie", "@staf".
std::vector<std::string> unknown_of(const Permits& permits);

}  // namespace weft::node::control
