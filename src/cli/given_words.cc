#include "cli/given_words.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

namespace weft {
namespace {

// A word that has it itself in front is marked too.
constexpr char kMark = '\x01';

bool is_in_brackets(std::string_view word) {
  return word.size() >= 2 && word.front() == '[' && word.back() == ']';
}

bool wants_mark(std::string_view word) {
  return is_in_brackets(word) || word.starts_with(kMark);
}

std::string marked(std::string word) {
  if (wants_mark(word)) return kMark + word;
  std::size_t equals = word.find('=');
  bool has_value = word.starts_with("--") && equals != std::string::npos;
  if (has_value && wants_mark(std::string_view(word).substr(equals + 1))) {
    word.insert(equals + 1, 1, kMark);
  }
  return word;
}

// After "--" all words are data: marked, none of them looks like an option.
std::vector<std::string> all_marked(std::vector<std::string> words) {
  auto end = std::ranges::find(words, "--");
  for (auto each = words.begin(); each != end; ++each) *each = marked(std::move(*each));
  if (end == words.end()) return words;
  for (auto each = end + 1; each != words.end(); ++each) each->insert(0, 1, kMark);
  words.erase(end);
  return words;
}

std::string without_mark(std::string word) {
  if (word.starts_with(kMark)) word.erase(0, 1);
  return word;
}

void take_marks(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() > 0) option->transform(without_mark);
  }
  for (CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    take_marks(*verb);
  }
}

// Whether what follows the first word of a verb is somebody else's, "--" too.
bool passes_on(const CLI::App& app, const std::string& verb) {
  auto named = [&](const CLI::App* each) { return each->get_name() == verb; };
  auto found = app.get_subcommands(named);
  return !found.empty() && found.front()->get_positionals_at_end();
}

}  // namespace

GivenWords::GivenWords(CLI::App& app, int count, const char* const* words)
    : marked_(words, words + count) {
  take_marks(app);
  if (count > 1 && passes_on(app, words[1])) {
    for (std::string& each : marked_) each = marked(std::move(each));
  } else {
    marked_ = all_marked(std::move(marked_));
  }
  for (const std::string& each : marked_) pointers_.push_back(each.c_str());
}

void GivenWords::parse(CLI::App& app, std::vector<std::string> words) {
  take_marks(app);
  words = all_marked(std::move(words));
  std::ranges::reverse(words);  // As CLI11 takes them.
  app.parse(std::move(words));
}

std::string GivenWords::unmarked(std::string text) {
  std::erase(text, kMark);
  return text;
}

}  // namespace weft
