#include "app/providers.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <thread>

#include "base/bytes.h"
#include "base/sha256.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

// From the start of a process to its ready: a model may have to be loaded.
constexpr std::chrono::seconds kStartMax{60};

Result<void> check_program(const std::string& path) {
  std::error_code problem;
  if (!fs::exists(path, problem)) {
    return failure(Errc::kNotFound, fmt::format("there is no program {}", path));
  }
  if (fs::is_directory(path, problem) || ::access(path.c_str(), X_OK) != 0) {
    return failure(Errc::kDenied, fmt::format("{} cannot be run: it is not executable", path));
  }
  return {};
}

// What would make another process of it.
std::string digest_of(const ProviderSettings& settings, const std::string& program) {
  std::string all;
  auto add = [&](std::string_view part) {
    all += fmt::format("{}:", part.size());
    all += part;
  };
  for (const std::string& word : settings.command) add(word);
  add(settings.folder);
  add(settings.configuration_json);
  for (const auto& [name, value] : settings.secrets) {
    add(name);
    add(value.reveal());
  }
  add(fmt::format("{} withheld", settings.withheld.size()));
  for (const std::string& name : settings.withheld) add(name);
  struct stat file{};
  if (::stat(program.c_str(), &file) == 0) {
    add(fmt::format("{} {} {} {} {}", file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec,
                    file.st_mtim.tv_nsec));
  }
  return sha256_hex(as_bytes(all));
}

Result<RunningProvider> run_provider(ProviderSettings settings,
                                     std::span<const RunningProvider> before) {
  auto program = find_program(settings.command.front(), settings.folder);
  if (!program) {
    return std::unexpected(std::move(program).error().within(
        fmt::format("provider {} of {}", settings.name, settings.app)));
  }
  RunningProvider running{settings.app, settings.name, digest_of(settings, *program), nullptr};
  for (const RunningProvider& each : before) {
    if (each.app == running.app && each.name == running.name && each.made_of == running.made_of) {
      return each;
    }
  }
  TRY(running.process, ProviderProcess::start(std::move(settings), Deadline::after(kStartMax)));
  return running;
}

}  // namespace

Result<std::string> find_program(const std::string& word, const std::string& folder) {
  if (word.find('/') != std::string::npos) {
    std::string path = word.starts_with('/') ? word : (fs::path(folder) / word).string();
    TRY_VOID(check_program(path));
    return path;
  }
  const char* variable = std::getenv("PATH");
  std::string_view left = variable == nullptr ? "" : variable;
  while (!left.empty()) {
    std::size_t end = std::min(left.find(':'), left.size());
    std::string path = fmt::format("{}/{}", left.substr(0, end), word);
    if (check_program(path)) return path;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return failure(Errc::kNotFound, fmt::format("there is no program {} in PATH", word));
}

std::vector<Result<RunningProvider>> run_providers(std::vector<ProviderSettings> settings,
                                                   std::span<const RunningProvider> before) {
  std::vector<Result<RunningProvider>> running(
      settings.size(), failure(Errc::kInternal, "the provider was not started"));
  std::vector<std::jthread> starts;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    starts.emplace_back([&running, &settings, before, i] {
      running[i] = run_provider(std::move(settings[i]), before);
    });
  }
  starts.clear();  // Waits for each.
  return running;
}

}  // namespace weft
