#include "values/call_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "values/source.h"

namespace weft {
namespace {

// Functions that a message names.
constexpr std::size_t kToldMax = 12;

std::string_view without_version(std::string_view interface) {
  return interface.substr(0, interface.find('@'));
}

std::string_view trimmed(std::string_view text) {
  std::size_t begin = std::min(text.find_first_not_of(" \t\n"), text.size());
  std::size_t end = text.find_last_not_of(" \t\n") + 1;
  return text.substr(begin, std::max(begin, end) - begin);
}

std::string listed(std::span<const FunctionName> functions) {
  std::vector<std::string> names;
  for (const FunctionName& function : functions.first(std::min(functions.size(), kToldMax))) {
    names.push_back(function.text());
  }
  std::size_t left = functions.size() - names.size();
  return fmt::format("{}{}", fmt::join(names, ", "),
                     left == 0 ? "" : fmt::format(" and {} more", left));
}

// Those that are called alike: by the same name elsewhere, or by nearly that name.
std::vector<FunctionName> alike(std::span<const FunctionName> known, const FunctionName& wanted) {
  std::vector<FunctionName> found;
  std::ranges::copy_if(known, std::back_inserter(found),
                       [&](const FunctionName& each) { return each.name == wanted.name; });
  if (!found.empty()) return found;
  std::vector<std::string_view> here;
  std::vector<std::string_view> anywhere;
  for (const FunctionName& each : known) {
    anywhere.push_back(each.name);
    if (each.interface == wanted.interface) here.push_back(each.name);
  }
  auto meant = nearest(wanted.name, here);
  if (!meant) meant = nearest(wanted.name, anywhere);
  if (!meant) return found;
  std::ranges::copy_if(known, std::back_inserter(found), [&](const FunctionName& each) {
    return each.name == *meant && (each.interface == wanted.interface || here.empty());
  });
  if (found.empty()) {
    std::ranges::copy_if(known, std::back_inserter(found),
                         [&](const FunctionName& each) { return each.name == *meant; });
  }
  return found;
}

}  // namespace

std::string FunctionName::text() const {
  return interface.empty() ? std::string(name) : fmt::format("{}#{}", interface, name);
}

Result<CallText> cut_call(std::string_view text) {
  CallText call;
  std::size_t bracket = text.find('(');
  if (bracket != std::string_view::npos) call.arguments = bracket;
  std::string_view head = trimmed(text.substr(0, bracket));
  std::size_t cut = head.rfind('#');
  if (cut != std::string_view::npos) call.function.interface = head.substr(0, cut);
  call.function.name = cut == std::string_view::npos ? head : head.substr(cut + 1);
  bool well = !call.function.name.empty() && (cut == std::string_view::npos || cut > 0);
  if (well) return call;
  Source source(text);
  source.expected("a function, like pkg:name/iface#func(1, \"two\")");
  return std::unexpected(source.end().error());
}

Result<std::size_t> find_function(std::span<const FunctionName> known, const FunctionName& wanted) {
  auto exact = std::ranges::find(known, wanted);
  if (exact != known.end()) return static_cast<std::size_t>(exact - known.begin());
  std::vector<FunctionName> versions;
  std::size_t last = 0;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i].name != wanted.name) continue;
    if (without_version(known[i].interface) != wanted.interface) continue;
    versions.push_back(known[i]);
    last = i;
  }
  if (versions.size() == 1) return last;
  if (versions.size() > 1) {
    return failure(Errc::kInvalid, fmt::format("{} is there in several versions: write one of {}",
                                               wanted.text(), listed(versions)));
  }
  if (known.empty()) {
    return failure(Errc::kNotFound,
                   fmt::format("there is no function {}: it exports none", wanted.text()));
  }
  std::vector<FunctionName> meant = alike(known, wanted);
  if (meant.empty()) {
    return failure(Errc::kNotFound, fmt::format("there is no function {}; what is there: {}",
                                                wanted.text(), listed(known)));
  }
  return failure(Errc::kNotFound, fmt::format("there is no function {}: did you mean {}?",
                                              wanted.text(), listed(meant)));
}

}  // namespace weft
