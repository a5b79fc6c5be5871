#include "node/control/permits.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace weft::node::control {
namespace {

constexpr std::size_t kLookUpBytes = 16 << 10;
constexpr int kGroupsOfUserMax = 256;

unsigned number_after(std::string_view text, std::string_view key) {
  unsigned number = static_cast<unsigned>(-1);
  std::size_t at = text.find(key);
  if (at == std::string_view::npos) return number;
  text.remove_prefix(at + key.size());
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool is_user(const std::string& name, uid_t uid) {
  std::array<char, kLookUpBytes> room;
  passwd entry{};
  passwd* found = nullptr;
  return getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found) == 0 &&
         found != nullptr && found->pw_uid == uid;
}

bool is_known(const std::string& name) {
  std::array<char, kLookUpBytes> room;
  if (name.starts_with('@')) {
    group entry{};
    group* found = nullptr;
    // Where it cannot be looked up now, it may be known later.
    return getgrnam_r(name.c_str() + 1, &entry, room.data(), room.size(), &found) != 0 ||
           found != nullptr;
  }
  passwd entry{};
  passwd* found = nullptr;
  return getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0 ||
         found != nullptr;
}

// The groups of the user's own list, beside the one that the process has.
bool is_in(const std::string& name, const Asker& who) {
  std::array<char, kLookUpBytes> room;
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr) {
    return false;
  }
  gid_t wanted = found->gr_gid;
  if (who.gid == wanted) return true;
  passwd user{};
  passwd* known = nullptr;
  if (getpwuid_r(who.uid, &user, room.data(), room.size(), &known) != 0 || known == nullptr) {
    return false;
  }
  std::array<gid_t, kGroupsOfUserMax> groups;
  int count = kGroupsOfUserMax;
  if (getgrouplist(known->pw_name, known->pw_gid, groups.data(), &count) < 0) return false;
  for (int i = 0; i < count; ++i) {
    if (groups[static_cast<std::size_t>(i)] == wanted) return true;
  }
  return false;
}

}  // namespace

std::string_view to_string(Verb verb) {
  switch (verb) {
    case Verb::kLook: return "look";
    case Verb::kDrain: return "drain";
    case Verb::kStop: return "stop";
    case Verb::kChange: return "change";
    case Verb::kTrust: return "trust";
  }
  return "?";
}

Asker Asker::parse(std::string_view peer) {
  if (!peer.starts_with("unix:")) return {};
  return {number_after(peer, "uid="), number_after(peer, "gid=")};
}

bool may(const Permits& permits, Verb verb, const Asker& who) {
  if (who.uid == static_cast<uid_t>(-1)) return false;
  if (who.uid == 0 || who.uid == ::geteuid()) return true;
  auto named = permits.find(to_string(verb));
  if (named == permits.end()) return false;
  for (const std::string& each : named->second) {
    if (each.starts_with('@') ? is_in(each.substr(1), who) : is_user(each, who.uid)) return true;
  }
  return false;
}

std::vector<std::string> unknown_of(const Permits& permits) {
  std::vector<std::string> unknown;
  for (const auto& [verb, names] : permits) {
    for (const std::string& name : names) {
      bool told = std::ranges::find(unknown, name) != unknown.end();
      if (!told && !is_known(name)) unknown.push_back(name);
    }
  }
  return unknown;
}

}  // namespace weft::node::control
