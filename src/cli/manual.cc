#include "cli/manual.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <vector>

namespace weft {
namespace {

// Text for troff: a hyphen is a minus, a backslash is one, a line does not begin with a dot.
std::string troff(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '-') {
      out += "\\-";
    } else if (c == '\\') {
      out += "\\e";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += "\\&";
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<const CLI::Option*> flags_of(const CLI::App& verb) {
  std::vector<const CLI::Option*> flags;
  for (const CLI::Option* option : verb.get_options()) {
    if (!option->get_lnames().empty()) flags.push_back(option);
  }
  return flags;
}

std::string synopsis(const CLI::App& verb) {
  std::string line = fmt::format("weft {} [OPTIONS]", verb.get_name());
  for (const CLI::Option* option : verb.get_options()) {
    if (!option->get_lnames().empty()) continue;
    std::string name = option->get_name(true);
    if (option->get_items_expected_max() > 1) name += "...";
    line += option->get_required() ? fmt::format(" {}", name) : fmt::format(" [{}]", name);
  }
  return line;
}

void describe(const CLI::Option& option, std::string& page) {
  std::string name = option.get_name(!option.get_lnames().empty() ? false : true);
  if (!option.get_lnames().empty() && option.get_items_expected_max() > 0) {
    name += fmt::format(" {}", option.get_type_name());
  }
  page += fmt::format(".TP\n\\fB{}\\fR\n{}\n", troff(name), troff(option.get_description()));
}

constexpr std::string_view kExitCodes =
    ".SH EXIT STATUS\n"
    ".TP\n\\fB0\\fR\nAll went well; a host that served ended after a signal.\n"
    ".TP\n\\fB1\\fR\nSomething is wrong with what was named: an app, a file, a build, the "
    "value of an option. What, and what to do, is said on standard error.\n"
    ".TP\n\\fB2\\fR\nThe command line is not understood: there is no such verb or option, or a "
    "word "
    "is missing.\n"
    ".TP\n\\fB128 + N\\fR\nSignal N ended it before it served.\n"
    ".PP\nThe exit code of a command that a component is passes through.\n";

}  // namespace

std::string man_page(const CLI::App& app) {
  std::string page = ".TH WEFT 1\n.SH NAME\nweft \\- a host for WebAssembly components\n";
  page += ".SH SYNOPSIS\n\\fBweft\\fR VERB [OPTIONS] ...\n.SH VERBS\n";
  auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* verb : verbs) {
    page += fmt::format(".SS {}\n{}\n.PP\n{}.\n", verb->get_name(), troff(synopsis(*verb)),
                        troff(verb->get_description()));
    for (const CLI::Option* option : verb->get_options()) {
      if (option->get_name(false, true).find("--help") == std::string::npos) {
        describe(*option, page);
      }
    }
  }
  page += kExitCodes;
  page += ".SH FILES\n.TP\n\\fBweft.toml\\fR\nAn app, as its developer writes it.\n";
  page += ".TP\n\\fB~/.cache/weft\\fR\nCompiled programs and the SDK; may be removed.\n";
  page +=
      ".TP\n\\fB~/.local/state/weft\\fR\nWhat components keep, unless \\-\\-state says where.\n";
  return page;
}

Result<std::string> completions(const CLI::App& app, const std::string& shell) {
  std::vector<std::string> names;
  std::string cases;
  std::string fish = "complete -c weft -f -n __fish_use_subcommand -a ";
  std::string fish_flags;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
    std::vector<std::string> flags;
    for (const CLI::Option* option : flags_of(*verb)) {
      flags.push_back("--" + option->get_lnames().front());
      fish_flags += fmt::format("complete -c weft -n '__fish_seen_subcommand_from {}' -l {}\n",
                                verb->get_name(), option->get_lnames().front());
    }
    cases += fmt::format("    {}) flags=\"{}\" ;;\n", verb->get_name(), fmt::join(flags, " "));
  }
  if (shell == "fish") {
    return fmt::format("{}'{}'\n{}", fish, fmt::join(names, " "), fish_flags);
  }
  if (shell != "bash" && shell != "zsh") {
    return failure(Errc::kInvalid,
                   fmt::format("no completions for {}: write bash, zsh or fish", shell));
  }
  // zsh reads those of bash.
  std::string begin =
      shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : std::string();
  return fmt::format(
      "{}_weft() {{\n  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" flags=\"\"\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n    COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n"
      "    return\n  fi\n  case \"${{COMP_WORDS[1]}}\" in\n{}  esac\n"
      "  case \"$word\" in\n    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n"
      "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n  esac\n}}\n"
      "complete -o filenames -F _weft weft\n",
      begin, fmt::join(names, " "), cases);
}

}  // namespace weft
