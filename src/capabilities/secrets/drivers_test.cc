// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include <fstream>
#include <map>

#include "base/check.h"
#include "capabilities/secrets/conformance.h"
#include "capabilities/secrets/drivers/fixed.h"
#include "capabilities/secrets/drivers/folder.h"
#include "capabilities/secrets/drivers/sealed_file.h"
#include "capabilities/secrets/drivers/vault.h"
#include "capabilities/secrets/fake_vault.h"

namespace weft::secrets {
namespace {

namespace fs = std::filesystem;

class SealedKeeper final : public Keeper {
 public:
  explicit SealedKeeper(const TestFolder& folder) : folder_(folder.path() / "secrets") {}

  std::unique_ptr<Source> source() override {
    return sealed_source(std::make_shared<SealedFile>(folder_), "");
  }
  // As another process, which shares nothing with the source.
  void set(const std::string& name, std::string_view value) override {
    CHECK(SealedFile(folder_).set(name, Secret(std::string(value)), 1).has_value());
  }
  void remove(const std::string& name) override { CHECK(*SealedFile(folder_).remove(name)); }
  void break_down() override {
    std::ofstream(folder_ / SealedFile::kFileName) << "weft-secrets 1\nhunter2";
  }

 private:
  const fs::path folder_;
};

class FolderKeeper final : public Keeper {
 public:
  explicit FolderKeeper(const TestFolder& folder) : folder_(folder.path()) {}

  std::unique_ptr<Source> source() override {
    return folder_source(folder_, "", std::make_shared<Pool>(Pool::Options{.threads = 1}));
  }
  void set(const std::string& name, std::string_view value) override {
    std::ofstream(folder_ / name, std::ios::binary) << value;
  }
  void remove(const std::string& name) override { fs::remove(folder_ / name); }
  void break_down() override {
    fs::remove(folder_ / "key");
    fs::create_directory(folder_ / "key");
  }

 private:
  const fs::path folder_;
};

class EnvironmentKeeper final : public Keeper {
 public:
  std::unique_ptr<Source> source() override {
    return environment_source("", [this](std::string_view name) -> std::optional<std::string> {
      auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    });
  }
  void set(const std::string& name, std::string_view value) override {
    variables_.insert_or_assign(variable_of(name), std::string(value));
  }
  void remove(const std::string& name) override { variables_.erase(variable_of(name)); }
  void break_down() override {}

 private:
  std::map<std::string, std::string, std::less<>> variables_;
};

class VaultKeeper final : public Keeper {
 public:
  std::unique_ptr<Source> source() override {
    return *vault_source(
        {.address = vault_.address(), .token = Secret(std::string(FakeVault::kToken))});
  }
  void set(const std::string& name, std::string_view value) override {
    vault_.set(name, "value", value);
  }
  void remove(const std::string& name) override { vault_.remove(name); }
  void break_down() override { vault_.answer_with(503); }

 private:
  FakeVault vault_;
};

template <class K>
std::unique_ptr<Keeper> make(const TestFolder& folder) {
  if constexpr (std::is_default_constructible_v<K>) {
    return std::make_unique<K>();
  } else {
    return std::make_unique<K>(folder);
  }
}

INSTANTIATE_TEST_SUITE_P(
    secrets, Conformance,
    ::testing::Values(Driver{"file", make<SealedKeeper>},
                      Driver{.name = "folder", .make = make<FolderKeeper>, .strips_newline = true},
                      Driver{.name = "environment",
                             .make = make<EnvironmentKeeper>,
                             .only_text = true,
                             .breaks = false},
                      Driver{.name = "vault", .make = make<VaultKeeper>, .only_text = true}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::secrets
