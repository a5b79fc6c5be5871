#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace weft {

// The verbs of the command line: what may follow each, and what it does.
class Verbs {
 public:
  explicit Verbs(CLI::App& app) : app_(app) {
    app.require_subcommand(1);
    app.get_formatter()->label("SUBCOMMAND", "VERB");
  }

  // `Words` is what stands after the verb; `options` says what that may be.
  template <class Words>
  void add(const char* name, const char* help, void (*options)(CLI::App&, Words&),
           std::function<Result<int>(Words&)> run) {
    auto words = std::make_shared<Words>();
    CLI::App* verb = app_.add_subcommand(name, help);
    verb->group("Verbs");
    options(*verb, *words);
    verbs_.emplace_back(verb, [words, run = std::move(run)] { return run(*words); });
  }

  // Does the one that was parsed.
  Result<int> run() const {
    for (const auto& [verb, run] : verbs_) {
      if (verb->parsed()) return run();
    }
    return failure(Errc::kInternal, "no verb was parsed");
  }

 private:
  CLI::App& app_;
  std::vector<std::pair<CLI::App*, std::function<Result<int>()>>> verbs_;
};

}  // namespace weft
