#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "capabilities/test_folder.h"
#include "journal.h"

// A writing process that a test starts, what the shim recorded of it, and the question whether a
// cut loses what it had promised.
namespace weft::powercut {

namespace fs = std::filesystem;

// What is cut off: the program that writes, and what looks for its promises in a folder.
struct Subject {
  const char* writer;
  std::function<Result<void>(const fs::path& folder, std::uint64_t seed, std::uint64_t end,
                             const std::function<bool(std::uint64_t)>& acknowledged)>
      check;
};

// A seed from the environment, for doing a failure over; it is printed with each failure.
inline std::uint64_t seed_of_run() {
  const char* text = std::getenv("WEFT_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

struct Child {
  pid_t process = -1;
  int output = -1;
};

inline Child start_writer(const char* program, const std::vector<std::string>& arguments,
                          const std::vector<std::string>& more) {
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  std::vector<char*> argv = {const_cast<char*>(program)};
  for (auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  for (auto& entry : more) environment.push_back(const_cast<char*>(entry.c_str()));
  environment.push_back(nullptr);
  Child child;
  CHECK(posix_spawn(&child.process, argv[0], &actions, nullptr, argv.data(), environment.data()) ==
        0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  child.output = ends[0];
  return child;
}

// Kills a writer behind so many acknowledgements, which are added to `acknowledged` with all that
// it reported before it died. False: it ended before, by itself.
inline bool kill_after(Child& writer, std::size_t count, std::set<std::uint64_t>& acknowledged) {
  std::uint64_t number = 0;
  auto next = [&] { return read(writer.output, &number, sizeof number) == sizeof number; };
  bool lived = true;
  for (std::size_t i = 0; i < count && lived; ++i) {
    lived = next();
    if (lived) acknowledged.insert(number);
  }
  kill(writer.process, SIGKILL);
  while (next()) acknowledged.insert(number);
  close(writer.output);
  int status = 0;
  CHECK(waitpid(writer.process, &status, 0) == writer.process);
  return lived && WIFSIGNALED(status);
}

// Runs `check` in a process of its own: what reads damaged files may well crash.
inline bool holds(const std::function<Result<void>()>& check, bool tell) {
  pid_t child = fork();
  if (child == 0) {
    auto outcome = check();
    if (!outcome && tell) fprintf(stderr, "%s\n", outcome.error().message().c_str());
    _exit(outcome ? 0 : 1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// What the shim recorded of one run of the writer.
class Recording {
 public:
  Recording(Subject subject, std::uint64_t seed, std::uint64_t count, const char* flush)
      : subject_(std::move(subject)), seed_(seed), count_(count) {
    Child writer = start_writer(
        subject_.writer, {folder(), std::to_string(seed), "0", std::to_string(count), flush},
        {"LD_PRELOAD=" WEFT_POWERCUT_SHIM, "WEFT_POWERCUT_FOLDER=" + place_.path().string(),
         "WEFT_POWERCUT_JOURNAL=" + journal()});
    char buffer[4096];
    while (read(writer.output, buffer, sizeof buffer) > 0) {
    }
    close(writer.output);
    int status = 0;
    CHECK(waitpid(writer.process, &status, 0) == writer.process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    auto records = read_journal(journal());
    CHECK(records.has_value());
    records_ = *std::move(records);
  }

  const std::vector<Record>& records() const { return records_; }
  // As if the process had never asked for anything to be flushed.
  void forget_flushes() {
    std::erase_if(records_, [](const Record& each) {
      return each.kind == Record::Kind::kFlush || each.kind == Record::Kind::kWritten;
    });
  }

  // Whether a cut after `cut` records loses nothing that was acknowledged by then.
  bool survives(std::size_t cut, Left left, std::mt19937_64& chance, bool tell) {
    auto before = std::span(records_).first(cut);
    std::set<std::uint64_t> marks;
    for (auto& record : before) {
      if (record.kind == Record::Kind::kMark) marks.insert(record.number);
    }
    std::error_code ignored;
    fs::remove_all(folder(), ignored);
    for (auto& [path, contents] : files_after_cut(before, left, chance)) {
      fs::create_directories(fs::path(path).parent_path());
      std::ofstream(path, std::ios::binary) << contents;
    }
    return holds(
        [&] {
          return subject_.check(folder(), seed_, count_,
                                [&](std::uint64_t n) { return marks.contains(n); });
        },
        tell);
  }

 private:
  std::string folder() const { return place_.path().string() + "/state"; }
  std::string journal() const { return outside_.path().string() + "/journal"; }

  Subject subject_;
  TestFolder place_;
  TestFolder outside_;
  std::uint64_t seed_;
  std::uint64_t count_;
  std::vector<Record> records_;
};

inline std::size_t count_of(const std::vector<Record>& records, Record::Kind kind) {
  return static_cast<std::size_t>(std::ranges::count(records, kind, &Record::kind));
}

}  // namespace weft::powercut
