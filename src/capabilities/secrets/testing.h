#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "capabilities/secrets/secrets.h"
#include "capabilities/test_folder.h"
#include "capabilities/testing.h"

namespace weft::secrets {

// A capability whose embedded store is in a folder of its own, for tests.
class TestSecrets {
 public:
  void set(std::string_view name, std::string_view value) {
    SealedFile file(folder_.path() / kStateFolder);
    CHECK(file.set(name, Secret(std::string(value)), 1).has_value());
  }
  void remove(std::string_view name) {
    CHECK(*SealedFile(folder_.path() / kStateFolder).remove(name));
  }
  SecretsCapability& capability() { return capability_; }
  std::filesystem::path folder() const { return folder_.path(); }

 private:
  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
  SecretsCapability capability_{state_, [](std::string_view name) -> std::optional<std::string> {
                                  if (name == "PAYMENT_KEY") return "of the environment";
                                  return std::nullopt;
                                }};
};

inline DriverChoice choice(std::string driver,
                           std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{std::move(driver), {}};
  for (auto& [key, value] : settings) {
    choice.settings.emplace_back(key, Secret(std::move(value)));
  }
  return choice;
}

}  // namespace weft::secrets
