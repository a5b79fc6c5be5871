#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weft::messaging::kafka {

// Of what is written beside a position; a server takes 4096 by default.
inline constexpr std::size_t kNotesBytesMax = 3'500;

// Which messages of one partition are done: all before a position, and some after it. What Kafka
// keeps of a group is the position; the rest is written beside it as notes, so that the next one
// to have the partition brings nothing twice that was done.
class Window {
 public:
  using Offset = std::int64_t;

  // Where a group stands. Notes that are none of ours say nothing.
  Window(Offset position, std::string_view notes);

  // A message came. How often it failed before; nothing: it is done already, or held.
  std::optional<unsigned> came(Offset offset);
  void failed(Offset offset, unsigned attempts);
  void done(Offset offset);

  Offset position() const { return open_.empty() ? next_ : open_.begin()->first; }
  // What does not fit is left out: it is brought again.
  std::string notes() const;

 private:
  void add_run(Offset from, Offset to);
  bool in_run(Offset offset) const;
  void trim();

  Offset next_;                          // Behind the last that came.
  std::map<Offset, unsigned> open_;      // Came and not done, and how often it failed.
  std::map<Offset, unsigned> failures_;  // From the notes, of what has not come yet.
  std::map<Offset, Offset> runs_;        // Done after the position: from, and one behind.
};

}  // namespace weft::messaging::kafka
