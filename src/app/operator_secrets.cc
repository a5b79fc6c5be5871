#include "app/operator_secrets.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft {

const DriverChoice* OperatorSecrets::choice(std::string_view name) const {
  auto found = choices_.find(name);
  return found == choices_.end() ? nullptr : &found->second;
}

Result<Secret> OperatorSecrets::read(std::string_view name) const {
  if (lookup_ == nullptr) {
    return failure(Errc::kNotFound, fmt::format("there is no secret {}", name));
  }
  return lookup_->look_up(name, choice(name), where_);
}

bool OperatorSecrets::is_local(std::string_view name) const {
  return lookup_ == nullptr || lookup_->is_local(choice(name));
}

bool OperatorSecrets::is_wrong(std::string_view name) const {
  return std::ranges::find(wrong_, name) != wrong_.end();
}

std::vector<std::string_view> OperatorSecrets::names() const {
  std::vector<std::string_view> names(wrong_.begin(), wrong_.end());
  for (const auto& [name, choice] : choices_) names.push_back(name);
  return names;
}

std::string OperatorSecrets::how_to_set(std::string_view name) const {
  std::string folder = lookup_ == nullptr ? "" : lookup_->state_folder(where_).string();
  return fmt::format("weft secret set {}{}", name, folder.empty() ? "" : " --state " + folder);
}

}  // namespace weft
