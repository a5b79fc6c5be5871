// Counts the words on standard input and prints them, "TIMES WORD" a line, the most frequent first.
// With the word `sum` its input is such lines, of several counts, which it adds up.

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

using Counts = std::map<std::string, unsigned long>;

Counts count_words(std::FILE* in) {
  Counts counts;
  std::string word;
  for (int each = std::fgetc(in);; each = std::fgetc(in)) {
    // What is beyond ASCII is part of a word.
    bool letter = each != EOF && (std::isalnum(each) || each >= 0x80);
    if (letter) {
      word += static_cast<char>(std::tolower(each));
    } else if (!word.empty()) {
      ++counts[word];
      word.clear();
    }
    if (each == EOF) return counts;
  }
}

Counts sum_counts(std::FILE* in) {
  Counts counts;
  std::string line;
  for (int each = std::fgetc(in);; each = std::fgetc(in)) {
    if (each != EOF && each != '\n') {
      line += static_cast<char>(each);
      continue;
    }
    char* end = nullptr;
    unsigned long times = std::strtoul(line.c_str(), &end, 10);
    if (*end == ' ') counts[end + 1] += times;
    line.clear();
    if (each == EOF) return counts;
  }
}

}  // namespace

int main(int count, char** words) {
  bool sum = count > 1 && std::strcmp(words[1], "sum") == 0;
  Counts counts = sum ? sum_counts(stdin) : count_words(stdin);
  std::vector<std::pair<std::string, unsigned long>> all(counts.begin(), counts.end());
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [word, times] : all) std::printf("%lu %s\n", times, word.c_str());
  return 0;
}
