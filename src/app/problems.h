#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weft {

// Where something was written. Line and column count from 1; 0: the file as a whole.
struct Place {
  std::string file = {};
  int line = 0;
  int column = 0;

  // "weft.toml:3:5"
  std::string text() const;
  friend bool operator==(const Place&, const Place&) = default;
};

// One thing that is wrong: what was found, where, and what to write instead.
struct Problem {
  enum class Weight : unsigned char { kError, kWarning } weight = Weight::kError;
  Place place;
  std::string found;
  std::string write;

  // "weft.toml:3:5: unknown key \"sorce\": write source", on one line.
  std::string text() const;
};

// Everything that is wrong with what was read, in the order of the files and their lines.
class Problems {
 public:
  // Beyond so many they are only counted.
  static constexpr std::size_t kProblemsMax = 500;

  void error(Place place, std::string found, std::string write);
  void warn(Place place, std::string found, std::string write);

  bool failed() const { return errors_ > 0; }
  std::size_t errors() const { return errors_; }
  std::size_t warnings() const { return warnings_; }
  // By file in the order in which the files were first spoken of, then by line.
  std::vector<Problem> sorted() const;
  // A line for each.
  std::string text() const;
  // "2 errors, 1 warning"
  std::string summary() const;

  // The keys that each table of what was read may have, by the table's name in messages: for those
  // who compare them with what is written about them.
  using Keys = std::map<std::string, std::set<std::string, std::less<>>, std::less<>>;
  void note_keys(const std::string& table, const Keys::mapped_type& keys);
  const Keys& keys() const { return keys_; }

  // One object: {"problems": [{"severity", "file", "line", "column", "found", "write"}], "errors",
  // "warnings"}.
  std::string json() const;

 private:
  void add(Problem problem);

  std::vector<Problem> all_;
  Keys keys_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

}  // namespace weft
