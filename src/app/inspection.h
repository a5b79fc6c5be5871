#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "capabilities/table.h"
#include "engine/inspect.h"

namespace weft {

// What would serve an imported interface here, or why nothing can.
struct Service {
  std::string by;                         // "wasi", the name of a capability, or empty.
  std::vector<std::string> drivers = {};  // Between which an operator may choose; the first is it.
  std::string problem = {};

  bool served() const { return problem.empty(); }
  // For people: "keyvalue (lmdb, memory)".
  std::string text() const;
};

// One file as `weft inspect` tells of it. A file that cannot be read has a problem only.
class FileReport {
 public:
  FileReport(FileReport&&) = default;
  FileReport& operator=(FileReport&&) = default;

  static FileReport make(std::string file, Result<Inspection> found,
                         const CapabilityTable& capabilities);

  // What is wrong with the file itself; empty: nothing.
  const std::string& problem() const { return problem_; }
  const std::string& wit() const { return found_.wit; }
  // Everything, for people; signatures whole, or as much of them as a line shows.
  enum class Signatures : std::uint8_t { kCut, kWhole };
  std::string text(Signatures signatures = Signatures::kCut) const;
  // One object. Names of members are never changed, only added to.
  std::string json() const;

  // One line of a table of files, with the file's name in so many columns.
  std::string line(std::size_t columns) const;
  const std::string& file() const { return file_; }

 private:
  // The functions of one interface, of which none has a name where it has types only.
  struct Interface {
    std::string name;
    std::vector<const InspectedFunction*> functions = {};
    Service service = {};
  };

  FileReport() = default;
  static std::vector<Interface> grouped(const std::vector<InspectedFunction>& functions);
  void write_json(std::string& out) const;

  std::string file_;
  std::string problem_;
  Inspection found_;
  std::vector<Interface> imports_;  // They point into found_.
  std::vector<Interface> exports_;
};

// The service of an interface with these functions; of a type-only one it is never looked for.
Service find_service(std::string_view interface,
                     const std::vector<const InspectedFunction*>& functions,
                     const CapabilityTable& capabilities);

}  // namespace weft
