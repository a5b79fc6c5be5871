#include "capabilities/keyvalue/drivers/dynamodb/turns.h"

#include <utility>

#include "base/check.h"

namespace weft::keyvalue::dynamodb {

void Turns::enter(std::vector<std::string> keys, Begin begin) {
  Number number = ++next_;
  Entry& entry = entries_[number];
  entry.keys = std::move(keys);
  for (const std::string& key : entry.keys) {
    std::deque<Number>& line = lines_[key];
    if (!line.empty()) ++entry.waits_for;
    line.push_back(number);
  }
  if (entry.waits_for == 0) return begin(number);
  entry.begin = std::move(begin);
}

void Turns::leave(Number number) {
  auto left = entries_.extract(number);
  CHECK(!left.empty());
  std::vector<std::pair<Number, Begin>> next;
  for (const std::string& key : left.mapped().keys) {
    auto line = lines_.find(key);
    CHECK(line != lines_.end() && line->second.front() == number);
    line->second.pop_front();
    if (line->second.empty()) {
      lines_.erase(line);
      continue;
    }
    Entry& first = entries_.at(line->second.front());
    if (--first.waits_for == 0) next.emplace_back(line->second.front(), std::move(first.begin));
  }
  for (auto& [each, begin] : next) begin(each);
}

}  // namespace weft::keyvalue::dynamodb
