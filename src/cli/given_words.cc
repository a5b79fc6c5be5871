#include "cli/given_words.h"

#include <CLI/CLI.hpp>
#include <string_view>

namespace weft {
namespace {

// No word has it: a terminal sends none, and what follows a verb is text.
constexpr char kMark = '\x01';

bool is_in_brackets(std::string_view word) {
  return word.size() >= 2 && word.front() == '[' && word.back() == ']';
}

std::string marked(std::string word) {
  if (is_in_brackets(word)) return kMark + word;
  std::size_t equals = word.find('=');
  bool has_value = word.starts_with("--") && equals != std::string::npos;
  if (has_value && is_in_brackets(std::string_view(word).substr(equals + 1))) {
    word.insert(equals + 1, 1, kMark);
  }
  return word;
}

std::string without_mark(std::string word) {
  if (word.starts_with(kMark) && is_in_brackets(std::string_view(word).substr(1))) word.erase(0, 1);
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

}  // namespace

GivenWords::GivenWords(CLI::App& app, int count, const char* const* words) {
  take_marks(app);
  for (int i = 0; i < count; ++i) marked_.push_back(marked(words[i]));
  for (const std::string& each : marked_) pointers_.push_back(each.c_str());
}

std::string GivenWords::unmarked(std::string text) {
  std::erase(text, kMark);
  return text;
}

}  // namespace weft
