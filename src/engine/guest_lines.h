#pragma once

// For src/engine's own sources.

#include <string>
#include <string_view>

namespace weft {

// What a guest prints where it serves: gathered until a line ends. What is left when the guest has
// ended, or its call, is a line too.
class GuestLines {
 public:
  // The most of a line that is kept; the rest is cut.
  static constexpr std::size_t kLineMax = 8 * 1024;

  // `line(text)` is called for each line that ended.
  template <class Line>
  void add(std::string_view text, Line&& line) {
    while (!text.empty()) {
      std::size_t end = text.find('\n');
      std::string_view part = text.substr(0, end);
      part = part.substr(0, kLineMax - line_.size());
      if (end == std::string_view::npos) {
        line_.append(part);
        return;
      }
      if (line_.empty()) {
        line(part);
      } else {
        line_.append(part);
        line(std::string_view(line_));
        line_.clear();
      }
      text.remove_prefix(end + 1);
    }
  }

  template <class Line>
  void end(Line&& line) {
    if (!line_.empty()) line(std::string_view(line_));
    line_.clear();
  }

 private:
  std::string line_;
};

}  // namespace weft
