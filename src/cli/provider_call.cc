#include "cli/provider_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "app/linked_import.h"
#include "app/process_call.h"
#include "app/settle.h"
#include "base/console.h"
#include "base/nearest.h"
#include "cli/standard_output.h"

namespace weft {
namespace {

Result<void> check_words(const CallWords& words) {
  if (!manifest_of(words.run.target)) {
    return failure(Errc::kInvalid,
                   fmt::format("{}: --provider is a process of an app: name a folder that has a "
                               "weft.toml",
                               words.run.target));
  }
  return {};
}

// What both files say of the one process, and nothing else: components need not be built yet.
Result<ProviderSettings> settings_of(const CallWords& words) {
  CapabilityTable capabilities = embedded_capabilities({.state_folder = default_state_folder()});
  if (!words.run.state.empty()) capabilities.keep_in(words.run.state);
  Problems problems;
  auto manifest = Manifest::read(*manifest_of(words.run.target), capabilities, problems);
  Environment environment = Environment::without_file(capabilities);
  if (!words.run.on.empty()) {
    auto read = Environment::read(words.run.on, capabilities, process_variables(), problems);
    if (read) environment = *std::move(read);
  }
  std::optional<ProviderSettings> settings;
  if (manifest && !problems.failed()) {
    std::vector<std::string_view> known;
    for (const ProviderManifest& each : manifest->providers) known.push_back(each.name);
    auto wanted = std::ranges::find(manifest->providers, words.provider, &ProviderManifest::name);
    if (wanted == manifest->providers.end()) {
      auto meant = nearest(words.provider, known);
      return failure(
          Errc::kNotFound,
          fmt::format("{}: there is no provider \"{}\"{}", manifest->file, words.provider,
                      meant           ? fmt::format(": did you mean {}?", *meant)
                      : known.empty() ? ": write [provider.NAME] and in it command = [...]"
                                      : ""));
    }
    ProviderManifest only = *wanted;
    manifest->providers.clear();
    manifest->providers.push_back(std::move(only));
    manifest->components.clear();
    manifest->triggers.clear();
    environment.limits.clear();
    std::erase_if(environment.values, [&](const OperatorValues& each) {
      return each.component.text != words.provider;
    });
    AppSettings app = settle(*manifest, environment, {}, problems);
    settings = std::move(app.providers.front().settings);
  }
  if (problems.failed()) {
    write_to_stderr(problems.text());
    return failure(Errc::kInvalid, fmt::format("not called: {}", problems.summary()));
  }
  return *std::move(settings);
}

}  // namespace

Result<int> call_provider(const CallWords& words, const CallText& call, StopSignals& signals) {
  TRY_VOID(check_words(words));
  TRY(ProviderSettings settings, settings_of(words));
  TRY(auto time, time_of(words));
  std::chrono::milliseconds most = time.value_or(kProviderCallTime);
  std::string who = fmt::format("provider {}", settings.name);
  std::string app = settings.app;
  // From here on the process is stopped in order.
  signals.hold();
  std::vector<ProviderSettings> alone;
  alone.push_back(std::move(settings));
  TRY(RunningProvider running, std::move(run_providers(std::move(alone), {}).front()));
  ProviderProcess& process = *running.process;
  std::vector<ExportedFunction> functions = exports_of(process.offers());
  auto prepared = prepare_call(words.form, call, functions);
  if (!prepared) return std::unexpected(std::move(prepared).error().within(who));
  const ExportedFunction& wanted = functions[prepared->number];
  TRY(Function function, process.function(wanted.interface, wanted.name));
  std::mutex mutex;
  std::optional<Result<Bytes>> outcome;
  Loops loops({.count = 1, .started = {}, .stopping = {}});
  std::unique_ptr<ProcessCall> one;
  loops.on_each([&](Loop& loop, std::size_t) {
    one = std::make_unique<ProcessCall>(loop, process, function, app, [&](Result<Bytes> ended) {
      std::lock_guard hold(mutex);
      if (outcome) return;
      outcome = std::move(ended);
      signals.interrupt();
    });
    one->start(prepared->arguments, most);
  });
  std::optional<int> signal = signals.wait();
  loops.on_each([&](Loop&, std::size_t) { one.reset(); });
  loops.stop();
  if (!outcome) return 128 + signal.value_or(0);
  if (!*outcome) return std::unexpected(std::move(*outcome).error().within(who));
  TRY(std::string text, result_text(*prepared, words.form, **outcome));
  TRY_VOID(print_line(text));
  return 0;
}

}  // namespace weft
