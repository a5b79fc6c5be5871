#include "triggers/http/static_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "io/http/parser.h"

namespace weft {
namespace {

constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {"avif", "image/avif"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Appends one segment decoded. False: it is never served.
bool append_segment(std::string& out, std::string_view segment) {
  std::size_t begin = out.size();
  for (std::size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      if (segment.size() - i < 3 || hex(segment[i + 1]) < 0 || hex(segment[i + 2]) < 0) {
        return false;
      }
      c = static_cast<char>(hex(segment[i + 1]) * 16 + hex(segment[i + 2]));
      i += 2;
    }
    if (c == '\0' || c == '/') return false;
    out.push_back(c);
  }
  std::string_view name = std::string_view(out).substr(begin);
  return !name.empty() && (name[0] != '.' || name == ".well-known");
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether a list of tags names this one; weak tags compare like strong ones here.
bool lists(std::string_view tags, std::string_view etag) {
  if (trimmed(tags) == "*") return true;
  while (!tags.empty()) {
    std::size_t comma = tags.find(',');
    std::string_view tag = trimmed(tags.substr(0, comma));
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
    if (comma == std::string_view::npos) return false;
    tags.remove_prefix(comma + 1);
  }
  return false;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// The one range of "bytes=0-99", "bytes=100-", "bytes=-100".
std::optional<FileAnswer> range_of(std::string_view text, std::uint64_t size) {
  if (text.size() < 6 || !same_name(text.substr(0, 6), "bytes=")) return std::nullopt;
  text = trimmed(text.substr(6));
  std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.find(',') != std::string_view::npos) {
    return std::nullopt;
  }
  auto first = number(text.substr(0, dash));
  auto last = number(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    if (*last == 0 || size == 0) return FileAnswer{416, 0, 0};
    std::uint64_t count = std::min(*last, size);
    return FileAnswer{206, size - count, count};
  }
  bool open = dash + 1 == text.size();
  if (!first || (!open && (!last || *last < *first))) return std::nullopt;
  if (*first >= size) return FileAnswer{416, 0, 0};
  std::uint64_t end = open ? size - 1 : std::min(*last, size - 1);
  return FileAnswer{206, *first, end - *first + 1};
}

}  // namespace

std::string_view content_type_of(std::string_view name) {
  std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    std::string_view ending = name.substr(dot + 1);
    for (const auto& [each, type] : kTypes) {
      if (same_name(each, ending)) return type;
    }
  }
  return "application/octet-stream";
}

std::string http_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                     kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                     parts.tm_sec);
}

std::optional<std::time_t> parse_http_date(std::string_view text) {
  // Only the form that is sent today: "Sun, 06 Nov 1994 08:49:37 GMT".
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") {
    return std::nullopt;
  }
  auto at = [&](std::size_t from, std::size_t count) { return number(text.substr(from, count)); };
  auto month = std::ranges::find(kMonths, text.substr(8, 3));
  auto day = at(5, 2), year = at(12, 4), hour = at(17, 2), minute = at(20, 2), second = at(23, 2);
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second || *day < 1 ||
      *day > 31 || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  std::tm parts{};
  parts.tm_year = static_cast<int>(*year) - 1900;
  parts.tm_mon = static_cast<int>(month - kMonths.begin());
  parts.tm_mday = static_cast<int>(*day);
  parts.tm_hour = static_cast<int>(*hour);
  parts.tm_min = static_cast<int>(*minute);
  parts.tm_sec = static_cast<int>(*second);
  return timegm(&parts);
}

std::optional<std::string> file_of(std::string_view path, std::size_t strip) {
  path = path.substr(0, path.find('?'));
  if (!path.starts_with('/')) return std::nullopt;
  std::string out;
  std::size_t index = 0;
  while (!path.empty()) {
    path.remove_prefix(1);
    std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (index++ < strip) {
      if (segment.empty()) return std::nullopt;
      continue;
    }
    // The last one may be empty: the slash at the end of a folder's name.
    if (segment.empty() && path.empty()) {
      if (!out.empty()) out.push_back('/');
      break;
    }
    if (!out.empty()) out.push_back('/');
    if (!append_segment(out, segment)) return std::nullopt;
  }
  return out;
}

std::string etag_of(const struct stat& file) {
  return fmt::format("\"{:x}-{:x}-{:x}.{:x}\"", file.st_ino, file.st_size, file.st_mtim.tv_sec,
                     file.st_mtim.tv_nsec);
}

FileAnswer answer_for(const RequestHead& request, const struct stat& file, std::string_view etag) {
  auto size = static_cast<std::uint64_t>(file.st_size);
  if (auto tags = request.header("if-none-match")) {
    if (lists(*tags, etag)) return {304, 0, 0};
  } else if (auto since = request.header("if-modified-since")) {
    auto time = parse_http_date(*since);
    if (time && file.st_mtim.tv_sec <= *time) return {304, 0, 0};
  }
  auto wanted = request.header("range");
  if (!wanted || request.method != "GET") return {200, 0, size};
  if (auto condition = request.header("if-range")) {
    bool same = condition->starts_with('"') ? *condition == etag
                                            : parse_http_date(*condition) == file.st_mtim.tv_sec;
    if (!same) return {200, 0, size};
  }
  return range_of(*wanted, size).value_or(FileAnswer{200, 0, size});
}

}  // namespace weft
