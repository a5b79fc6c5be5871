#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weft {

// The words of a command line as they were given. CLI11 takes one that stands in brackets for a
// list, and hands on what is between the commas: data of a message is no list, nor an argument of a
// program. After "--" it takes what it calls options for options all the same. So such words are
// marked before it looks, and have no mark when they are taken.
class GivenWords {
 public:
  // The verbs and their options are all there; the words outlive this.
  GivenWords(CLI::App& app, int count, const char* const* words);

  int count() const { return static_cast<int>(pointers_.size()); }
  const char* const* words() const { return pointers_.data(); }
  // The same for words that follow a verb's own, for an app that has no verbs.
  static void parse(CLI::App& app, std::vector<std::string> words);
  // Of what CLI11 says of them.
  static std::string unmarked(std::string text);

 private:
  std::vector<std::string> marked_;
  std::vector<const char*> pointers_;
};

}  // namespace weft
