#include "cli/dev.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>

#include "app/host.h"
#include "base/console.h"
#include "cli/run.h"
#include "dev/app_build.h"
#include "dev/watch.h"

namespace weft {

namespace {

using Clock = std::chrono::steady_clock;

// How long what is broken waits before it looks again by itself, should a change have been missed.
constexpr std::chrono::minutes kBrokenLook{1};

std::string escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  }
  return out;
}

// What a browser shows while the app cannot be built. It looks again by itself.
std::string error_page(std::string_view problem) {
  return fmt::format(
      "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"color-scheme\" content=\"light "
      "dark\">"
      "\n<meta http-equiv=\"refresh\" content=\"1\">\n<title>weft dev: the build is "
      "broken</title>\n"
      "<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;"
      "padding:0 1rem}}pre{{font-size:14px;overflow-x:auto;padding:1rem;"
      "border-left:4px solid #c33}}</style>\n"
      "<h1>The build is broken</h1>\n<p>The version from before goes on serving everybody who does "
      "not ask for HTML.</p>\n<pre>{}</pre>\n",
      escape(problem));
}

class Lines final : public BuildReport {
 public:
  void line(const std::string& text) override { say(text); }
};

// Builds an app again and again, and has what is served follow.
class Developer final : public Attendant {
 public:
  Developer(std::string manifest, StopSignals& signals)
      : manifest_(std::move(manifest)), signals_(signals) {
    folder_ = std::filesystem::path(manifest_).parent_path();
    if (folder_.empty()) folder_ = ".";
  }

  Result<void> watch() {
    TRY(watch_, Watch::start(folder_, [this] { changed(); }));
    return {};
  }

  // Whether all is built. What is wrong is said, and kept in problem().
  bool build() {
    problem_.clear();
    built_ = Snapshot::of(folder_, outputs_);
    Problems problems;
    auto manifest = Manifest::read(manifest_, capabilities_, problems);
    if (!manifest || problems.failed()) {
      problem_ = problems.text();
      write_to_stderr(problem_);
      say(fmt::format("weft: not built: {}", problems.summary()));
    } else {
      take_outputs(*manifest);
      auto done = build_app(*manifest, default_weft_cache(), Effort::kQuick, lines_);
      if (!done) problem_ = done.error().message();
      if (!done) say(fmt::format("weft: {}", problem_));
    }
    return problem_.empty();
  }
  bool has_changed() const { return !Snapshot::of(folder_, outputs_).difference(built_).empty(); }
  // Waits for a change, before anything is served.
  void wait() {
    std::unique_lock hold(mutex_);
    news_.wait_for(hold, kBrokenLook, [&] { return any_; });
    any_ = false;
  }

  void begin(Host& host) override {
    {
      std::lock_guard hold(mutex_);
      serving_ = true;
    }
    interrupted(host);
  }
  void interrupted(Host& host) override {
    auto start = Clock::now();
    while (has_changed()) {
      if (build() && reload(host)) {
        host.show_instead("");
        std::chrono::duration<double> time = Clock::now() - start;
        say(fmt::format("weft: reloaded after {:.2f} s", time.count()));
      } else {
        host.show_instead(error_page(problem_));
        say("weft: not reloaded: the version from before goes on serving");
      }
    }
  }
  void end() override { watch_.reset(); }

 private:
  bool reload(Host& host) {
    Problems problems;
    bool done = host.reload(problems);
    if (!done) problem_ = problems.text();
    write_to_stderr(problems.text());
    return done;
  }

  // On the watch's thread.
  void changed() {
    std::lock_guard hold(mutex_);
    any_ = true;
    news_.notify_all();
    if (serving_) signals_.interrupt();
  }

  // What builds make is no change of the app's.
  void take_outputs(const Manifest& manifest) {
    outputs_.clear();
    for (const ComponentManifest& component : manifest.components) {
      if (!component.build && !component.compiled) continue;
      auto file = std::filesystem::path(folder_) / component.source.text;
      outputs_.insert(file.lexically_normal());
    }
  }

  std::string manifest_;
  // They know what stands in a manifest; nothing of theirs is opened.
  CapabilityTable capabilities_ = embedded_capabilities({.state_folder = {}});
  std::string folder_;
  StopSignals& signals_;
  Lines lines_;
  std::set<std::string> outputs_;
  Snapshot built_;  // What the app was when it was built last.
  std::string problem_;
  std::mutex mutex_;
  std::condition_variable news_;
  bool any_ = false;      // Guarded.
  bool serving_ = false;  // Guarded.
  std::unique_ptr<Watch> watch_;
};

// An app that is worked on keeps its data where its builds are, unless somebody says otherwise: two
// of them run side by side, and neither touches what the user's own apps keep.
void keep_beside_the_app(RunOptions& options, const std::string& manifest) {
  options.default_state_folder =
      std::filesystem::path(manifest).parent_path() / "build" / ".weft" / "state";
}

}  // namespace

void add_dev_options(CLI::App& verb, RunWords& words) {
  words.target = ".";
  add_run_options(verb, words);
  verb.get_option("TARGET")->required(false);
}

Result<int> run_dev(RunWords words, StopSignals& signals) {
  auto manifest = manifest_of(words.target);
  if (!manifest) {
    return failure(Errc::kInvalid, fmt::format("{}: it is no app: name a folder that has a "
                                               "weft.toml, or make one: weft new cpp NAME",
                                               words.target));
  }
  std::error_code problem;
  if (!std::filesystem::exists(*manifest, problem)) {
    return failure(Errc::kNotFound,
                   fmt::format("there is no {}: make an app with: weft new cpp NAME", *manifest));
  }
  // What is wrong with the words is told before anything is built.
  TRY(auto options, check_run_words(std::move(words)));
  keep_beside_the_app(options, *manifest);
  options.spy_values = true;
  options.admin_calls = true;
  Developer developer(*manifest, signals);
  TRY_VOID(developer.watch());
  while (!developer.build()) {
    say("weft: waiting for a change");
    do developer.wait();
    while (!developer.has_changed());
  }
  return run(options, signals, &developer);
}

}  // namespace weft
