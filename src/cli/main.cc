// The weft command: wires, and holds nothing that a test would want to link.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <system_error>

#include "base/console.h"
#include "base/fd.h"
#include "cli/bindgen.h"
#include "cli/build.h"
#include "cli/call.h"
#include "cli/check.h"
#include "cli/dev.h"
#include "cli/inspect.h"
#include "cli/manual.h"
#include "cli/new.h"
#include "cli/run.h"
#include "cli/top.h"

int main(int argc, char** argv) {
  weft::open_missing_stdio();
  weft::StopSignals signals;
  weft::explain_bus_errors();
  weft::Console console;
  CLI::App app("weft: a host for WebAssembly components", "weft");
  app.require_subcommand(1);
  app.set_version_flag("--version", "weft 0.1.0");
  weft::RunWords words;
  CLI::App* run =
      app.add_subcommand("run", "Run a command, serve an HTTP component, or serve apps");
  weft::add_run_options(*run, words);
  weft::CheckWords check_words;
  CLI::App* check = app.add_subcommand("check", "Say everything that is wrong with an app");
  weft::add_check_options(*check, check_words);
  weft::InspectWords inspect_words;
  CLI::App* inspect = app.add_subcommand("inspect", "Tell what a component or a folder holds");
  weft::add_inspect_options(*inspect, inspect_words);
  weft::CallWords call_words;
  CLI::App* call = app.add_subcommand("call", "Call one function of a component");
  weft::add_call_options(*call, call_words);
  weft::BindgenWords bindgen_words;
  CLI::App* bindgen = app.add_subcommand("bindgen", "Make C++ bindings from WIT");
  weft::add_bindgen_options(*bindgen, bindgen_words);
  weft::TopWords top_words;
  CLI::App* top = app.add_subcommand("top", "Show what a running host does, each second");
  weft::add_top_options(*top, top_words);
  weft::BuildWords build_words;
  CLI::App* build = app.add_subcommand("build", "Build the components of apps");
  weft::add_build_options(*build, build_words);
  weft::NewApp new_words;
  CLI::App* fresh = app.add_subcommand("new", "Make a new app from a template");
  weft::add_new_options(*fresh, new_words);
  weft::RunWords dev_words;
  CLI::App* dev = app.add_subcommand("dev", "Build an app, serve it, and follow its changes");
  weft::add_dev_options(*dev, dev_words);
  CLI::App* man = app.add_subcommand("man", "Print the manual page: weft man | man -l -");
  std::string shell;
  CLI::App* completions =
      app.add_subcommand("completions", "Print completions: source <(weft completions bash)");
  completions->add_option("SHELL", shell, "bash, zsh or fish")->required();
  try {
    app.parse(argc, argv);
    weft::Result<int> code = 0;
    if (bindgen->parsed()) {
      code = weft::run_bindgen(bindgen_words);
    } else if (top->parsed()) {
      code = weft::run_top(top_words);
    } else if (check->parsed()) {
      code = weft::run_check(check_words);
    } else if (inspect->parsed()) {
      code = weft::run_inspect(inspect_words);
    } else if (call->parsed()) {
      code = weft::run_call(call_words, signals);
    } else if (build->parsed()) {
      code = weft::run_build(build_words);
    } else if (fresh->parsed()) {
      code = weft::run_new(new_words);
    } else if (dev->parsed()) {
      code = weft::run_dev(std::move(dev_words), signals);
    } else if (man->parsed()) {
      fmt::print("{}", weft::man_page(app));
    } else if (completions->parsed()) {
      auto text = weft::completions(app, shell);
      if (text) fmt::print("{}", *text);
      if (!text) code = std::unexpected(std::move(text).error());
    } else {
      auto options = weft::check_run_words(words);
      code = options ? weft::run(*options, signals)
                     : weft::Result<int>(std::unexpected(std::move(options).error()));
    }
    if (code) return *code;
    weft::say(fmt::format("weft: {}", code.error().message()));
    return 1;
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem);
  } catch (const std::system_error& problem) {
    // Nobody reads what is printed.
    if (problem.code() == std::errc::broken_pipe) return 0;
    weft::say(fmt::format("weft: {}", problem.what()));
    return 1;
  } catch (const std::exception& problem) {
    weft::say(fmt::format("weft: {}", problem.what()));
    return 1;
  }
}
