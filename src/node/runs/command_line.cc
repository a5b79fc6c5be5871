#include "node/runs/command_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "node/object/fields.h"

namespace weft::node::runs {

Bytes command_line_bytes(const CommandLine& line) {
  CHECK(line.words.size() <= kWordsMax);
  Bytes out;
  FieldWriter fields(out);
  std::uint16_t number = 0;
  for (const std::string& word : line.words) fields.text(++number, word);
  fields.bytes(kInputField, line.input);
  return out;
}

Result<CommandLine> read_command_line(BytesView bytes) {
  CommandLine line;
  FieldReader fields(bytes);
  std::size_t size = 0;
  for (std::uint16_t number = 1; fields.has(number); ++number) {
    if (number > kWordsMax) {
      return failure(Errc::kInvalid, fmt::format("more than {} words", kWordsMax));
    }
    BytesView word = fields.bytes(number, kWordsBytesMax);
    size += word.size();
    if (size > kWordsBytesMax) {
      return failure(Errc::kInvalid, fmt::format("words of more than {} bytes", kWordsBytesMax));
    }
    if (std::ranges::find(word, 0) != word.end()) {
      return failure(Errc::kInvalid, fmt::format("word {} has a byte 0 in it", number));
    }
    line.words.emplace_back(as_text(word));
  }
  BytesView input = fields.bytes(kInputField, bytes.size());
  TRY_VOID(fields.finish());
  line.input.assign(input.begin(), input.end());
  return line;
}

}  // namespace weft::node::runs
