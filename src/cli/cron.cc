#include "cli/cron.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>

#include "app/edition_settings.h"
#include "app/limit_settings.h"
#include "app/manifest.h"
#include "base/json_text.h"
#include "capabilities/cron/cron.h"
#include "capabilities/table.h"
#include "cli/actions.h"
#include "cli/admin_question.h"
#include "cli/admin_url.h"
#include "cli/standard_output.h"

namespace weft {
namespace {

namespace chrono = std::chrono;

constexpr unsigned kTimesMax = 1000;
constexpr std::array<ActionOptions, 2> kActions{{
    {"list", "--times --json"},
    {"run", "--schedule --at --time --json"},
}};

struct Line {
  std::string app;
  std::string component;
  std::string schedule;
  std::string zone;
  std::vector<std::string> next;
};

Result<Manifest> read_app(const std::string& word, const CapabilityTable& capabilities) {
  auto file = manifest_of(word);
  if (!file) {
    return failure(Errc::kNotFound,
                   fmt::format("{} is no app: name a folder with a weft.toml", word));
  }
  Problems problems;
  auto manifest = Manifest::read(*file, capabilities, problems);
  if (manifest && !problems.failed()) return *std::move(manifest);
  return failure(Errc::kInvalid, fmt::format("{}{}", problems.text(), problems.summary()));
}

// Of an app that runs: what is no name of one is a folder whose weft.toml says it.
Result<std::string> app_name(const std::string& word) {
  if (word.find_first_of("./") == std::string::npos) return word;
  TRY(Manifest manifest, read_app(word, embedded_capabilities({})));
  return manifest.name.text;
}

Result<void> add_lines(const std::string& word, unsigned times, std::vector<Line>& lines) {
  TRY(Manifest manifest, read_app(word, embedded_capabilities({})));
  auto now = chrono::floor<chrono::seconds>(chrono::system_clock::now());
  for (const EventTrigger& trigger : manifest.events) {
    if (trigger.capability != "cron") continue;
    auto options = cron::read_trigger(trigger.settings);
    if (!options) {
      return std::unexpected(std::move(options).error().within(trigger.place.text()));
    }
    const std::string* zone = trigger.settings.find("time-zone");
    Line line{manifest.name.text,
              trigger.component.text,
              options->text,
              zone == nullptr ? "UTC" : *zone,
              {}};
    auto when = now;
    for (unsigned i = 0; i < times; ++i) {
      auto next = options->schedule.next(options->zone, when);
      if (!next) break;
      line.next.push_back(cron::shown_time(options->zone, *next));
      when = *next;
    }
    lines.push_back(std::move(line));
  }
  return {};
}

std::string json_of(const std::vector<Line>& lines) {
  std::string out = "{\"schedules\":[";
  for (const Line& line : lines) {
    out += out.back() == '[' ? "{\"app\":" : ",{\"app\":";
    append_json_string(out, line.app);
    append_json_member(out, "component", line.component);
    append_json_member(out, "schedule", line.schedule);
    append_json_member(out, "time-zone", line.zone);
    out += ",\"next\":[";
    for (const std::string& each : line.next) {
      if (out.back() != '[') out += ',';
      append_json_string(out, each);
    }
    out += "]}";
  }
  return out + "]}\n";
}

std::string table_of(const std::vector<Line>& lines) {
  std::size_t who = 9;
  std::size_t what = 8;
  for (const Line& line : lines) {
    who = std::max(who, line.app.size() + 1 + line.component.size());
    what = std::max(what, line.schedule.size());
  }
  std::string out = fmt::format("{:<{}}  {:<{}}  {}\n", "COMPONENT", who, "SCHEDULE", what, "NEXT");
  for (const Line& line : lines) {
    std::string name = line.app + "." + line.component;
    std::string schedule = line.schedule;
    for (const std::string& each : line.next) {
      out += fmt::format("{:<{}}  {:<{}}  {} ({})\n", name, who, schedule, what, each, line.zone);
      name.clear();
      schedule.clear();
    }
  }
  return out;
}

// As long as the component may take, where nobody says for how long.
Result<int> run_one(const CronWords& words) {
  if (words.apps.size() != 2) {
    return failure(Errc::kInvalid,
                   "write weft cron run APP COMPONENT: an app that runs in a host now, by its name "
                   "or its folder, and a component of it");
  }
  std::chrono::milliseconds time = kAdminCallTimeMost;
  if (!words.time.empty()) {
    auto read = read_duration(words.time, chrono::milliseconds(1), time);
    if (!read) return std::unexpected(std::move(read).error().within("--time " + words.time));
    time = chrono::ceil<chrono::milliseconds>(*read);
  }
  TRY(std::string app, app_name(words.apps[0]));
  TRY(std::string url, admin_url(words.at, "/api/call"));
  boost::json::object arguments;
  if (!words.schedule.empty()) arguments["schedule"] = boost::json::string(words.schedule);
  AdminCall call{.target = app + "/" + words.apps[1],
                 .function = "run",
                 .arguments = boost::json::serialize(arguments),
                 .time = time,
                 .capability = "cron"};
  TRY(std::string answer, ask_admin(url, call, time));
  boost::system::error_code problem;
  boost::json::value done = boost::json::parse(answer, problem);
  const boost::json::value* ms =
      problem || !done.is_object() ? nullptr : done.get_object().if_contains("ms");
  if (ms == nullptr || !ms->is_int64()) {
    return failure(Errc::kCorrupt, "the host does not say how it went");
  }
  TRY_VOID(print_line(
      words.json ? answer : fmt::format("{} ran well, in {} ms", words.apps[1], ms->get_int64())));
  return 0;
}

}  // namespace

void add_cron_options(CLI::App& verb, CronWords& words) {
  verb.add_option("WHAT", words.what,
                  "list: the schedules of apps, and when they come next; run: one of them, now")
      ->required();
  verb.add_option("APP", words.apps,
                  "list, which reads files: folders with a weft.toml; default: the folder that one "
                  "is in. run, which asks a host: an app that runs there, by its name or such a "
                  "folder, and its component");
  verb.add_option("--times", words.times, "With list: how many times of each are shown")
      ->capture_default_str();
  verb.add_option("--schedule", words.schedule,
                  "With run: the schedule, where the component has several")
      ->type_name("TEXT");
  verb.add_option("--at", words.at, "With run: the host's admin address; default: 127.0.0.1:9090")
      ->type_name("ADDR:PORT");
  verb.add_option("--time", words.time,
                  "With run: how long it may take; default: what the component may")
      ->type_name("TIME");
  verb.add_flag("--json", words.json, "Print one JSON object");
  take_by_action(verb, kActions, [&words] { return words.what; });
  verb.footer(
      "run asks a running host, whose operator's file says [admin] calls = true, and ends when the "
      "run does; interrupted, it breaks the run off. The run holds its schedule's lock as any "
      "other, so that two never go on at once, and waits 30 s for it. The next run comes when it "
      "would have come.\n"
      "Exit code: 0; 1 when the run failed or could not begin.");
}

Result<int> run_cron(const CronWords& words) {
  if (words.what == "run") return run_one(words);
  if (words.times == 0 || words.times > kTimesMax) {
    return failure(Errc::kInvalid, fmt::format("--times: from 1 to {}", kTimesMax));
  }
  std::vector<Line> lines;
  for (const std::string& word : words.apps.empty() ? std::vector<std::string>{"."} : words.apps) {
    TRY_VOID(add_lines(word, words.times, lines));
  }
  fmt::print("{}", words.json ? json_of(lines) : table_of(lines));
  return 0;
}

}  // namespace weft
