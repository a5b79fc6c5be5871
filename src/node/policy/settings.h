#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/link_settings.h"
#include "app/listen_address.h"
#include "app/problems.h"
#include "app/toml.h"
#include "base/error.h"
#include "node/policy/quota.h"

namespace weft::node {

inline constexpr std::uint16_t kNodePort = 7420;
inline constexpr std::size_t kGroupsMax = 1'000;
// Files of node.d.
inline constexpr std::size_t kPartsMax = 100;
// Tables of services.
inline constexpr std::size_t kServiceTablesMax = 100;
// What may be asked at the control socket, and [control] says by whom.
inline constexpr std::array<std::string_view, 5> kControlVerbs{"look", "drain", "stop", "change",
                                                               "trust"};
// What the keys in no group are called together. No group has this name.
inline constexpr std::string_view kStrangers = "strangers";

// What the keys of one group may do, and how much of it. A group that nothing is written of may
// describe.
struct GroupSettings {
  Rights may = {};
  Quota quota = {};
  Place place = {};  // Where it was written; no file: nowhere.
};

struct DiscoverySettings {
  bool on = true;
  std::vector<std::string> interfaces = {};  // Empty: all that can multicast.
};

// What [service.NAME] serves: the exports of one component, in a file or a library of the node's.
struct ServiceSettings {
  std::filesystem::path file = {};  // Empty: it is a library.
  std::string library = {};         // "acme:words@1.2.0", or without a version the newest.
  // What serves its imports, each on a node: behind `node:` stands where or who that is.
  std::vector<LinkSettings> links = {};
  // What it may keep by wasi:keyvalue, in a store of its own; 0: it has none.
  std::uint64_t keyvalue_bytes = 0;
  Place place = {};
};
// Of a store.
inline constexpr std::uint64_t kServiceKeyvalueLeast = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kServiceKeyvalueMost = std::uint64_t{1} << 40;

// A log with less would be no log: it is cut in pieces of this size.
inline constexpr std::uint64_t kEventsRetainLeast = std::uint64_t{64} << 20;

struct EventsSettings {
  // Of the log of events; the oldest go beyond it. 0: none goes.
  std::uint64_t retain_bytes = 0;
  friend bool operator==(const EventsSettings&, const EventsSettings&) = default;
};

// Of every request that is not refused for its form, before its signature is looked at: what one
// address (IPv6: one /64), and what one key may ask for.
struct RequestRates {
  RateQuota address = {.per_second = 1'000, .burst = 2'000};
  RateQuota key = {.per_second = 500, .burst = 1'000};
};

// What node.toml and the files of node.d say, together. A value; paths are absolute, or relative to
// the working folder as the folder was.
struct NodeSettings {
  std::filesystem::path folder = {};
  std::string name = {};                      // Of this machine, where nothing is written.
  std::vector<ListenAddress> listen = {};     // [::]:7420 and 0.0.0.0:7420
  std::filesystem::path key = {};             // FOLDER/node.key
  std::filesystem::path state = {};           // FOLDER/state
  std::filesystem::path groups = {};          // FOLDER/groups
  std::filesystem::path control_socket = {};  // STATE/control.sock
  // Who may use which verb of the control socket: [control] look = ["alice", "@staff"].
  std::map<std::string, std::vector<std::string>, std::less<>> control_permits = {};
  DiscoverySettings discovery = {};
  EventsSettings events = {};
  RequestRates rates = {};
  Quota total = {};
  // Default: 10 requests a second, and no right. Whoever describes with no right to is told the
  // node's key, name and version, and no more.
  GroupSettings strangers = {};
  std::map<std::string, GroupSettings, std::less<>> group = {};
  std::map<std::string, ServiceSettings, std::less<>> service = {};

  // Of `strangers`, of a group, or of one that nothing is written of.
  const GroupSettings& of_group(std::string_view which) const;

  // FOLDER/node.toml and FOLDER/node.d/*.toml, as one. A key that two files give a value is an
  // error, told with both places. Nothing where anything is wrong; all of it is told.
  static std::optional<NodeSettings> read(const std::filesystem::path& folder, Problems& problems);
  // One text as the whole.
  static std::optional<NodeSettings> parse(std::string_view text, const std::string& file,
                                           Problems& problems);
  static std::optional<NodeSettings> from(const TomlValue& merged, const std::string& file,
                                          Problems& problems);
};

// 1 to kGroupNameMax of a-z A-Z 0-9 . _ -, no dot first, not `strangers`. kInvalid says so.
Result<void> check_group_name(std::string_view name);

// The example node.toml, with all keys and what they mean.
std::string_view example_settings();

// Makes a folder that a node can be started with: node.toml, node.d/, groups/friends/ with a
// README, a hardened unit for systemd, and a new key, mode 0600. kConflict, and nothing made, where
// node.toml or a key is there already.
Result<void> init_folder(const std::filesystem::path& folder);

}  // namespace weft::node
