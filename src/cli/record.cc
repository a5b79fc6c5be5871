#include "cli/record.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/console.h"
#include "base/shown_text.h"
#include "cli/run.h"
#include "cli/standard_output.h"
#include "record/call_recorder.h"
#include "record/replay.h"

namespace weft {
namespace {

// Of recorded calls that nobody made.
constexpr std::size_t kUnusedShown = 20;

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// What is run has links: it is an app.
Result<RunOptions> check_app_words(const RunWords& words, std::string_view verb) {
  if (words.target.starts_with('-')) {
    return failure(Errc::kInvalid,
                   fmt::format("{} stands between the recording and the app: write weft {} FILE "
                               "APP {}",
                               words.target, verb, words.target));
  }
  TRY(RunOptions options, check_run_words(words));
  if (options.target.empty()) return options;
  if (!std::filesystem::exists(options.target)) {
    return failure(Errc::kNotFound,
                   fmt::format("{}: there is no such file or folder: write weft {} FILE APP, the "
                               "recording first",
                               options.target, verb));
  }
  return failure(Errc::kInvalid,
                 fmt::format("{}: a component by itself has no links: name an app, a folder with a "
                             "weft.toml",
                             options.target));
}

void tell(const Replay::Report& report) {
  std::string out;
  for (const std::string& each : report.wanted) {
    out += fmt::format("weft: not in the recording: {}\n", each);
  }
  if (report.wanted.size() >= kMissingShown) out += "weft: and there may be more\n";
  std::size_t recorded = report.used + report.unused.size();
  out += fmt::format("weft: {} answered from the recording, {} not in it; {} of {} used\n",
                     counted(report.answered, "call"), report.missing, report.used,
                     counted(recorded, "recorded call"));
  if (report.elsewhere > 0) {
    out += fmt::format("weft: {} of functions that nothing here imports\n",
                       counted(report.elsewhere, "recorded call"));
  }
  std::size_t shown = std::min(report.unused.size(), kUnusedShown);
  for (std::size_t i = 0; i < shown; ++i) {
    out += fmt::format("weft: not used: {}\n", report.unused[i]);
  }
  if (shown < report.unused.size()) {
    out += fmt::format("weft: not used: {} more\n", report.unused.size() - shown);
  }
  write_to_stderr(without_controls(out));
}

}  // namespace

void add_record_options(CLI::App& verb, RecordWords& words) {
  verb.add_option("FILE", words.file, "The recording: made, or written anew")->required();
  add_run_options(verb, words.run);
  verb.footer(
      "Runs apps as weft run does, and writes each call of their links (links.\"pkg:name/iface\" "
      "in "
      "weft.toml) to the file: arguments, outcome and time. What capabilities serve, configuration "
      "and the secrets of providers are not recorded; values that components pass to each other "
      "are.");
}

Result<int> run_record(RecordWords& words, StopSignals& signals) {
  TRY(RunOptions options, check_app_words(words.run, "record"));
  TRY(auto recorder, CallRecorder::open(words.file));
  options.sources.tap.recorder = recorder.get();
  auto code = run(options, signals);
  // What did not start leaves the file as it was.
  if (!code && code.error().code() != Errc::kTrap) return code;
  CallRecorder::Summary summary = recorder->finish();
  if (!options.quiet || summary.lost > 0) {
    say(fmt::format("weft: {} recorded in {}{}", counted(summary.calls, "call"), words.file,
                    summary.lost == 0 ? "" : fmt::format(", {} lost", summary.lost)));
  }
  return code;
}

void add_replay_options(CLI::App& verb, ReplayWords& words) {
  verb.add_option("FILE", words.file, "What weft record wrote")->required();
  verb.add_flag("--show", words.show, "Print the recording, a line a call, and run nothing");
  verb.add_flag("--all-links", words.all_links,
                "Answer also calls between components of the app; default: of providers alone");
  verb.add_flag("--all-used", words.all_used, "Exit code 1 also when a recorded call was not made");
  add_run_options(verb, words.run);
  verb.get_option("TARGET")->required(false);
  verb.footer(
      "Runs apps as weft run does, but starts no provider: a call gets the outcome that is "
      "recorded "
      "for the same component, function and arguments; of several in their order, and then the "
      "last "
      "again. A call that is not in the recording fails, and is told at the end with the nearest "
      "that is.\n"
      "Exit code: that of weft run; 1 when a call was not in the recording.");
}

Result<int> run_replay(ReplayWords& words, StopSignals& signals) {
  if (words.run.target == "--show" && words.run.args.empty()) {
    words.show = true;
    words.run.target.clear();
  }
  if (!words.show && words.run.target.empty()) {
    return failure(Errc::kInvalid, "name the app to run, or --show");
  }
  TRY(Recording recording, Recording::read(words.file));
  if (words.show) {
    if (!words.run.target.empty()) {
      return failure(Errc::kInvalid, "--show runs nothing: leave the app out");
    }
    fmt::print("{}", recording.text());
    TRY_VOID(finish_output());
    return 0;
  }
  TRY(RunOptions options, check_app_words(words.run, "replay"));
  Replay replay(std::move(recording));
  options.sources.tap.replay = &replay;
  if (words.all_links) options.sources.tap.replayed = LinkTap::Replayed::kAllLinks;
  auto code = run(options, signals);
  if (!code && code.error().code() != Errc::kTrap) return code;
  Replay::Report report = replay.report();
  bool bad =
      report.missing > 0 || (words.all_used && (!report.unused.empty() || report.elsewhere > 0));
  if (!options.quiet || bad) tell(report);
  if (code && *code == 0 && bad) return 1;
  return code;
}

}  // namespace weft
