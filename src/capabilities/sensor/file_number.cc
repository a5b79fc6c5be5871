#include "capabilities/sensor/file_number.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/read_file.h"

namespace weft::sensor {

Result<std::string> kernel_text(const std::string& path) {
  Result<std::string> text = read_file(path, kKernelFileBytesMax);
  if (!text && text.error().code() == Errc::kNotFound) return text;
  if (!text) return failure(Errc::kUnavailable, text.error().message());
  while (text->ends_with('\n') || text->ends_with(' ')) text->pop_back();
  return text;
}

Result<double> number_of(std::string_view text, std::string_view what) {
  double value = 0;
  std::size_t first = text.find_first_not_of(" \t");
  if (first != text.npos) text.remove_prefix(first);
  auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (wrong == std::errc() && std::isfinite(value) &&
      rest.find_first_not_of(" \t\n") == rest.npos) {
    return value;
  }
  return failure(Errc::kUnavailable,
                 fmt::format("{} says \"{}\", which is no number", what, text.substr(0, 40)));
}

Result<double> kernel_number(const std::string& path) {
  TRY(std::string text, kernel_text(path));
  return number_of(text, path);
}

}  // namespace weft::sensor
