#include "cli/remote_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "app/limit_settings.h"
#include "cli/admin_question.h"
#include "cli/admin_url.h"
#include "cli/standard_output.h"
#include "observe/admin_calls.h"

namespace weft {
namespace {

// What says what a component that is started here gets says nothing to one that runs.
Result<void> check_words(const CallWords& words) {
  std::string wrong;
  auto refuse = [&](std::string_view flag, bool given) {
    if (given) wrong += fmt::format("{}{}", wrong.empty() ? "" : ", ", flag);
  };
  const RunWords& run = words.run;
  refuse("--provider", !words.provider.empty());
  refuse("--on", !run.on.empty());
  refuse("--dir", !run.folders.empty());
  refuse("--env", !run.env.empty());
  refuse("--allow-http", !run.allow_http.empty());
  refuse("--allow-net", !run.allow_net.empty());
  refuse("--ca-file", !run.ca_file.empty());
  refuse("--state", !run.state.empty());
  refuse("--memory", !run.memory.empty());
  refuse("--cpu", !run.cpu.empty());
  if (wrong.empty()) return {};
  return failure(
      Errc::kInvalid,
      fmt::format("--at calls what runs with what it was given there: leave out {}", wrong));
}

}  // namespace

Result<int> call_remote(const CallWords& words) {
  TRY_VOID(check_words(words));
  TRY(std::string url, admin_url(words.at, "/api/call"));
  AdminCall call{.target = words.run.target,
                 .function = words.form.function,
                 .arguments = words.form.arguments,
                 .json = words.form.json};
  // Without --time the host says when it is enough, and it may be waited for as long as a day.
  std::chrono::milliseconds patience = kAdminCallTimeMost;
  TRY(auto time, time_of(words));
  if (time) patience = call.time = std::min(*time, patience);
  TRY(std::string text, ask_admin(url, call, patience));
  TRY_VOID(print_line(text));
  return 0;
}

}  // namespace weft
