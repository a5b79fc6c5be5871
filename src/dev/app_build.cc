#include "dev/app_build.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "dev/component_file.h"
#include "dev/process.h"
#include "dev/tools.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

std::string how_big(const std::string& file) {
  std::error_code problem;
  auto bytes = fs::file_size(file, problem);
  if (problem) return "";
  constexpr double kKilo = 1000;
  double kilobytes = static_cast<double>(bytes) / kKilo;
  return kilobytes < kKilo ? fmt::format("{:.1f} KB", kilobytes)
                           : fmt::format("{:.1f} MB", kilobytes / kKilo);
}

// What the command prints is shown once: as it comes, or with what is wrong, which a browser shows.
Result<void> run_command(const ComponentManifest& component, const std::string& folder,
                         Effort effort, BuildReport& report) {
  const std::string& command = component.build->text;
  report.line(fmt::format("weft: {}: {}", component.name, command));
  TRY(ProcessResult result,
      run_process({"/bin/sh", "-c", command}, {.folder = folder, .echo = effort == Effort::kFull}));
  if (result.exit_code == 0) return {};
  std::string advice = advice_for(command, result.exit_code, result.output);
  if (!advice.empty()) advice = fmt::format("\n{}", advice);
  std::string output = effort == Effort::kFull ? "" : fmt::format("\n{}", result.output);
  return failure(Errc::kInvalid,
                 fmt::format("component {}: `{}` ended with exit code {}{}{}", component.name,
                             command, result.exit_code, advice, output));
}

}  // namespace

Result<std::size_t> build_app(const Manifest& manifest, const std::string& cache, Effort effort,
                              BuildReport& report) {
  fs::path folder = fs::path(manifest.file).parent_path();
  if (folder.empty()) folder = ".";
  std::optional<GuestCompiler> compiler;
  std::size_t changed = 0;
  for (const ComponentManifest& component : manifest.components) {
    if (!component.compiled && !component.build) continue;
    auto start = Clock::now();
    std::string output = (folder / component.source.text).string();
    if (component.build) {
      TRY_VOID(run_command(component, folder, effort, report));
      std::error_code problem;
      if (!fs::is_regular_file(output, problem)) {
        return failure(Errc::kNotFound, fmt::format("component {}: its build command made no {}",
                                                    component.name, component.source.text));
      }
      if (auto made = write_component(output, output); !made) {
        return failure(Errc::kInvalid,
                       fmt::format("component {}: {}", component.name, made.error().message()));
      }
    } else {
      if (!compiler) {
        TRY(auto sdk, SdkFolder::open(cache));
        compiler.emplace(std::move(sdk), effort);
      }
      TRY(auto built, compiler->build({component.name, *component.compiled, folder, output}));
      if (!built.output.empty()) report.line(built.output);
      if (!built.changed) {
        report.line(fmt::format("weft: {}: nothing to do", component.name));
        continue;
      }
    }
    ++changed;
    std::chrono::duration<double> time = Clock::now() - start;
    report.line(fmt::format("weft: {}: {}, {} ({:.1f} s)", component.name, component.source.text,
                            how_big(output), time.count()));
  }
  return changed;
}

}  // namespace weft
