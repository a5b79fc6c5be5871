#include "app/inspection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/wasi_versions.h"
#include "base/json_text.h"

namespace weft {
namespace {

// What a line that is cut shows of a function, in bytes.
constexpr std::size_t kLineMax = 100;
// The widest column of names; what is longer stands out.
constexpr std::size_t kColumnMax = 48;

struct KindName {
  std::string_view kind;
  std::string_view wasi;  // Its generation; empty: of none.
};

KindName name_of(ProgramKind kind) {
  switch (kind) {
    case ProgramKind::kCommand02: return {"command", "0.2"};
    case ProgramKind::kCommand03: return {"command", "0.3"};
    case ProgramKind::kHttp02: return {"http", "0.2"};
    case ProgramKind::kHttp03: return {"http", "0.3"};
    case ProgramKind::kLibrary: break;
  }
  return {"library", ""};
}

std::string kind_text(const Inspection& found) {
  std::string text(to_string(found.kind));
  if (found.form == "module") text += ", from a WASI 0.1 module";
  if (found.form == "text") text += ", from text";
  return text;
}

// What came out of a file is printed on one line.
std::string plain(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

// At most a line of it; what is UTF-8 stays so.
std::string cut(std::string line) {
  static constexpr std::string_view kEllipsis = " ...";
  if (line.size() <= kLineMax) return line;
  std::size_t end = kLineMax - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  line.resize(end);
  line += kEllipsis;
  return line;
}

std::string producers_text(const Inspection& found) {
  std::vector<std::string> words;
  for (const Producer& each : found.producers) {
    std::string word = each.version.empty() ? each.name : each.name + " " + each.version;
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  return plain(fmt::format("{}", fmt::join(words, ", ")));
}

// Ends the object when it is left.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(const JsonObject&) = delete;

  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(out_, value);
  }
  void raw(std::string_view name, std::string_view value) {
    key(name);
    out_ += value;
  }
  void key(std::string_view name) {
    if (!first_) out_ += ", ";
    first_ = false;
    append_json_string(out_, name);
    out_ += ": ";
  }

 private:
  std::string& out_;
  bool first_ = true;
};

template <class List, class Each>
void json_array(std::string& out, const List& list, Each each) {
  out += '[';
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ", ";
    first = false;
    each(item);
  }
  out += ']';
}

}  // namespace

std::string Service::text() const {
  if (!served()) return problem;
  if (by.empty()) return "types only";
  if (by == "wasi") return "WASI itself";
  return drivers.empty() ? by : fmt::format("{} ({})", by, fmt::join(drivers, ", "));
}

Service find_service(std::string_view interface,
                     const std::vector<const InspectedFunction*>& functions,
                     const CapabilityTable& capabilities) {
  Service service;
  if (functions.front()->wasi) {
    service.by = "wasi";
    service.problem = wasi_problem(interface);
    return service;
  }
  // Of an app nothing is a node; what is sent to one has these there.
  if (interface.starts_with("weft:node/")) {
    service.by = interface.starts_with("weft:node/requester@") ? "a node, to its runs"
                                                               : "a node, to runs that may observe";
    return service;
  }
  std::vector<DeclaredFunction> declared;
  for (const InspectedFunction* each : functions) {
    if (!each->name.empty()) declared.push_back({each->name, each->signature});
  }
  if (declared.empty()) return service;
  auto match = capabilities.match({interface, declared});
  if (match) {
    service.by = match->capability->name();
    for (const DriverInfo& driver : match->capability->drivers()) {
      service.drivers.emplace_back(driver.name);
    }
  } else if (interface.empty()) {
    service.problem = "functions of the world itself are not offered by anything here";
  } else {
    service.problem = match.error().message();
  }
  return service;
}

FileReport FileReport::make(std::string file, Result<Inspection> found,
                            const CapabilityTable& capabilities) {
  FileReport report;
  report.file_ = std::move(file);
  if (!found) {
    // The engine says the file's name itself.
    std::string_view message = found.error().message();
    std::string before = report.file_ + ": ";
    if (message.starts_with(before)) message.remove_prefix(before.size());
    report.problem_ = message;
    return report;
  }
  report.found_ = *std::move(found);
  report.problem_ = plain(report.found_.problem);
  report.imports_ = grouped(report.found_.imports);
  report.exports_ = grouped(report.found_.exports);
  for (Interface& each : report.imports_) {
    each.service = find_service(each.name, each.functions, capabilities);
  }
  return report;
}

std::vector<FileReport::Interface> FileReport::grouped(
    const std::vector<InspectedFunction>& functions) {
  std::vector<Interface> groups;
  for (const InspectedFunction& each : functions) {
    auto group = std::ranges::find(groups, each.interface, &Interface::name);
    if (group == groups.end()) group = groups.insert(group, {each.interface});
    group->functions.push_back(&each);
  }
  return groups;
}

std::string FileReport::text(Signatures signatures) const {
  std::string out = fmt::format("{}: {}\n", file_, problem_.empty() ? kind_text(found_) : problem_);
  if (found_.digest.empty()) return out;
  out += fmt::format("  {:<8} {} bytes\n", "size", found_.size);
  out += fmt::format("  {:<8} {}\n", "sha256", found_.digest);
  if (!found_.producers.empty()) {
    out += fmt::format("  {:<8} {}\n", "made by", producers_text(found_));
  }
  auto add = [&](std::string_view title, const std::vector<Interface>& interfaces, bool services) {
    if (interfaces.empty()) return;
    std::size_t columns = 0;
    for (const Interface& each : interfaces) {
      columns = std::max(columns, std::min(each.name.size(), kColumnMax));
    }
    out += fmt::format("  {}\n", title);
    for (const Interface& each : interfaces) {
      std::string_view name = each.name.empty() ? "(the world)" : std::string_view(each.name);
      if (services) {
        out += fmt::format("    {:<{}}  {}{}\n", name, columns, each.service.served() ? "" : "! ",
                           each.service.text());
      } else {
        out += fmt::format("    {}\n", name);
      }
      for (const InspectedFunction* function : each.functions) {
        if (function->name.empty()) continue;
        std::string line = fmt::format("      {}: {}", function->name, function->signature);
        out += signatures == Signatures::kCut ? cut(line) : line;
        out += '\n';
      }
    }
  };
  add("imports", imports_, true);
  add("exports", exports_, false);
  return out;
}

std::string FileReport::line(std::size_t columns) const {
  if (!problem_.empty()) return fmt::format("{:<{}}  ! {}\n", file_, columns, problem_);
  std::vector<std::string> lacking;
  for (const Interface& each : imports_) {
    if (each.service.served()) continue;
    lacking.push_back(each.name.empty() ? "functions of the world" : each.name);
  }
  std::string lack =
      lacking.empty() ? "" : fmt::format("  ! not served: {}", fmt::join(lacking, ", "));
  return fmt::format("{:<{}}  {:<18}  {:>10} bytes{}\n", file_, columns, to_string(found_.kind),
                     found_.size, lack);
}

std::string FileReport::json() const {
  std::string out;
  write_json(out);
  return out;
}

void FileReport::write_json(std::string& out) const {
  JsonObject object(out);
  object.text("file", file_);
  if (!problem_.empty()) object.text("problem", problem_);
  if (found_.digest.empty()) return;
  object.text("form", found_.form);
  if (problem_.empty()) {
    KindName kind = name_of(found_.kind);
    object.text("kind", kind.kind);
    if (!kind.wasi.empty()) object.text("wasi", kind.wasi);
  }
  object.raw("size", fmt::format("{}", found_.size));
  object.text("sha256", found_.digest);
  object.key("producers");
  json_array(out, found_.producers, [&](const Producer& each) {
    JsonObject producer(out);
    producer.text("field", each.field);
    producer.text("name", each.name);
    producer.text("version", each.version);
  });
  auto interfaces = [&](const std::vector<Interface>& all, bool services) {
    json_array(out, all, [&](const Interface& each) {
      JsonObject interface(out);
      interface.text("interface", each.name);
      if (services) {
        interface.raw("served", each.service.served() ? "true" : "false");
        if (!each.service.by.empty()) interface.text("by", each.service.by);
        if (!each.service.drivers.empty()) {
          interface.key("drivers");
          json_array(out, each.service.drivers,
                     [&](const std::string& driver) { append_json_string(out, driver); });
        }
        if (!each.service.served()) interface.text("problem", each.service.problem);
      }
      interface.key("functions");
      std::vector<const InspectedFunction*> named;
      std::ranges::copy_if(each.functions, std::back_inserter(named),
                           [](const InspectedFunction* each) { return !each->name.empty(); });
      json_array(out, named, [&](const InspectedFunction* each) {
        JsonObject function(out);
        function.text("name", each->name);
        function.text("signature", each->signature);
      });
    });
  };
  object.key("imports");
  interfaces(imports_, true);
  object.key("exports");
  interfaces(exports_, false);
}

}  // namespace weft
