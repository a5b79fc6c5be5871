#include "cli/build.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/edition.h"
#include "base/console.h"
#include "cli/run_options.h"
#include "dev/app_build.h"

namespace weft {

namespace {

class Lines final : public BuildReport {
 public:
  void line(const std::string& text) override { say(text); }
};

}  // namespace

void add_build_options(CLI::App& verb, BuildWords& words) {
  verb.add_option("APP", words.apps,
                  "Apps: folders with a weft.toml; default: the folder that one is in");
}

Result<int> run_build(const BuildWords& words) {
  std::vector<std::string> apps = words.apps;
  if (apps.empty()) apps.emplace_back(".");
  Lines lines;
  // They know what stands in a manifest; nothing of theirs is opened.
  CapabilityTable capabilities = embedded_capabilities({.state_folder = {}});
  Problems problems;
  for (const std::string& app : apps) {
    auto file = manifest_of(app);
    if (!file) {
      return failure(Errc::kNotFound,
                     fmt::format("{}: it is no app: name a folder that has a weft.toml", app));
    }
    auto manifest = Manifest::read(*file, capabilities, problems);
    if (!manifest || problems.failed()) continue;
    TRY_VOID(build_app(*manifest, default_weft_cache(), Effort::kFull, lines));
  }
  write_to_stderr(problems.text());
  if (problems.failed()) {
    return failure(Errc::kInvalid, fmt::format("not built: {}", problems.summary()));
  }
  return 0;
}

}  // namespace weft
