// Shows that a power cut after any record of what a writer of secrets did to its files loses none
// that was acknowledged, and leaves a file that can be read and written.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/check.h"
#include "capabilities/secrets/drivers/sealed_file.h"
#include "capabilities/test_folder.h"
#include "journal.h"

namespace weft::powercut {
namespace {

namespace fs = std::filesystem;

std::vector<Record> record(const fs::path& place, const std::string& journal,
                           const std::string& count) {
  std::string folder = place / "secrets";
  std::vector<std::string> more = {"LD_PRELOAD=" WEFT_POWERCUT_SHIM,
                                   "WEFT_POWERCUT_FOLDER=" + place.string(),
                                   "WEFT_POWERCUT_JOURNAL=" + journal};
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  for (std::string& entry : more) environment.push_back(entry.data());
  environment.push_back(nullptr);
  std::string program = WEFT_SECRETS_WRITER;
  std::string words = count;
  char* argv[] = {program.data(), folder.data(), words.data(), nullptr};
  pid_t process = -1;
  CHECK(posix_spawn(&process, program.c_str(), nullptr, nullptr, argv, environment.data()) == 0);
  int status = 0;
  CHECK(waitpid(process, &status, 0) == process);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  auto records = read_journal(journal);
  CHECK(records.has_value());
  return *std::move(records);
}

TEST(SecretsPowerCut, at_any_moment_loses_no_acknowledged_secret) {
  constexpr std::uint64_t kSecrets = 8;
  TestFolder place;
  TestFolder outside;
  auto records = record(place.path(), outside.path() / "journal", std::to_string(kSecrets));
  ASSERT_EQ(std::ranges::count(records, Record::Kind::kMark, &Record::kind), kSecrets);
  std::mt19937_64 chance(1);
  fs::path folder = place.path() / "secrets";
  for (std::size_t cut = 0; cut <= records.size(); ++cut) {
    for (Left left : {Left::kNothing, Left::kSome, Left::kAll}) {
      SCOPED_TRACE("cut after record " + std::to_string(cut) + ", left " +
                   std::to_string(static_cast<int>(left)));
      auto before = std::span(records).first(cut);
      fs::remove_all(folder);
      fs::create_directories(folder);
      for (auto& [path, contents] : files_after_cut(before, left, chance)) {
        std::ofstream(path, std::ios::binary) << contents;
        fs::permissions(path, fs::perms(0600));
      }
      secrets::SealedFile file(folder);
      for (const Record& each : before) {
        if (each.kind != Record::Kind::kMark) continue;
        std::string name = std::to_string(each.number);
        auto value = file.get(name);
        ASSERT_TRUE(value.has_value()) << value.error().message();
        ASSERT_EQ(value->reveal(), name);
      }
      auto set = file.set("next", Secret(std::string("value")), 1);
      ASSERT_TRUE(set.has_value()) << set.error().message();
      ASSERT_EQ(file.get("next")->reveal(), "value");
    }
  }
}

}  // namespace
}  // namespace weft::powercut
