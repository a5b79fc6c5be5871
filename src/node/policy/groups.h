#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "app/problems.h"
#include "node/object/key.h"
#include "node/object/request.h"

namespace weft::node {

inline constexpr std::size_t kGroupKeysMax = 100'000;  // Of all groups together.

// Who is in which group: folders groups/NAME/ with files of public keys, *.pem and *.pub. A file's
// name, without its ending, is what the owner calls the key.
//
// Immutable once read: threads share it as part of a Policy.
class Groups {
 public:
  struct Member {
    std::string group;
    std::string name;  // "alice", of alice.pem.
  };

  // All that is wrong is told: a file that is no key, that anybody may write, a name that is none.
  // Nothing where something was. A folder that is not there has no groups.
  static std::optional<Groups> read(const std::filesystem::path& folder, Problems& problems);

  // In the order of the groups' names; empty for a stranger. Lives as long as this.
  std::span<const Member> of(const PublicKey& key) const;
  // In that group; null where it is not.
  const Member* in(std::string_view group, const PublicKey& key) const;
  // As what the key asks: in the group that the audience names, else in the first by name. Null for
  // a stranger, and for a group that the key is not in.
  const Member* choose(const PublicKey& key, const Audience& audience) const;

  // Sorted, those without keys too.
  const std::vector<std::string>& names() const { return names_; }
  std::size_t keys() const { return members_.size(); }

 private:
  friend class GroupsReader;
  std::vector<std::string> names_;
  std::unordered_map<PublicKey, std::vector<Member>, HashOfKey> members_;
};

// Whether `groups`, as a person wrote it, can be the folder of a node's groups: not the node's
// folder itself, nor one group of it, nor below a folder that is not there. There no node looks for
// keys.
Result<void> check_groups_folder(const std::filesystem::path& groups, std::string_view group);

// Writes a public key into the folder of a group, which is made where it is not there, as
// NAME.pem. Returns the path. kConflict where that name has another key; the same key again is no
// failure.
Result<std::filesystem::path> trust_key(const std::filesystem::path& groups, std::string_view group,
                                        std::string_view name, const PublicKey& key);

}  // namespace weft::node
