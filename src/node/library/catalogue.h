#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/object/hash.h"

namespace weft::node::library {

inline constexpr std::size_t kLibrariesMax = 1'000;
inline constexpr std::size_t kServicesMax = 1'000;
inline constexpr std::size_t kLibraryFunctionsMax = 1'000;
// The type of a function, as text.
inline constexpr std::size_t kSignatureMax = 4'096;
inline constexpr std::size_t kCatalogueFileMax = 16 * 1024 * 1024;

// A function that a library exports.
struct LibraryFunction {
  std::string name;       // "acme:math/add@1.0.0#sum", or "sum" of no interface.
  std::string signature;  // "func(a: s32, b: s32) -> s32".
  friend bool operator==(const LibraryFunction&, const LibraryFunction&) = default;
};

// A module whose functions others may fetch and combine. Name and version are its key.
struct Library {
  std::string name = {};
  std::string version = {};
  Hash module = {};
  std::uint64_t size = 0;
  std::vector<LibraryFunction> functions = {};
  std::string file = {};  // Where it came from; told to nobody but the owner.
  friend bool operator==(const Library&, const Library&) = default;
};

// An interface that is served now, by calls in an instance each of a module.
struct Service {
  std::string interface = {};  // "acme:math/add@1.0.0"
  Hash module = {};
  std::vector<LibraryFunction> functions = {};
  friend bool operator==(const Service&, const Service&) = default;
};

enum class Added : std::uint8_t { kNew, kSame };

// What this node offers by name. Libraries are kept in a file, which is written whole at each
// change; services are what is served now, and whoever serves them says so. From any thread; `add`
// and `remove` wait for the disk, and change nothing where they fail.
class Catalogue {
 public:
  // Which libraries somebody is told of.
  using Shown = std::function<bool(const Library&)>;

  // A file that is not there is an empty catalogue. kInvalid with the place where it is none.
  static Result<std::unique_ptr<Catalogue>> open(std::filesystem::path file);

  // kConflict when there is another module of that name and version, kInvalid for a name, a version
  // or a function that cannot be, kLimit for one too many.
  Result<Added> add(Library library);
  // What was removed. Without a version the only one there is: kConflict when there are more.
  // kNotFound says which name is near.
  Result<Library> remove(std::string_view name, std::optional<std::string_view> version);
  // Without a version the newest.
  Result<Library> find(std::string_view name, std::optional<std::string_view> version) const;
  // By name, older versions first.
  std::vector<Library> list() const;
  // Those that export a function of this name.
  std::vector<Library> exporting(std::string_view function) const;

  // The interfaces that are served now, instead of those before. kConflict: two modules serve one.
  Result<void> set_services(std::vector<Service> services);
  std::vector<Service> services() const;
  // The module that serves "acme:math/add@1.0.0#sum"; where no version is written, the newest.
  std::optional<Hash> serving(std::string_view function) const;

  // Another one when anything that is told of it changes.
  Hash digest() const;
  // A name a line, services first, then the newest version of each library as "name@version"; as
  // many as fit into kBeaconOffersMax.
  std::string offers() const;
  // {"libraries":[...],"services":[...]}, for the answer to describe.
  std::string json() const;
  std::string json(const Shown& shown) const;

 private:
  explicit Catalogue(std::filesystem::path file, std::vector<Library> libraries);

  Result<void> save(const std::vector<Library>& libraries) const;

  // Under `mutex_`: what beacons ask for each second is made once.
  void changed();

  const std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::vector<Library> libraries_;  // In order.
  std::vector<Service> services_;   // In the order of their interfaces.
  Hash digest_;
  std::string offers_;
};

}  // namespace weft::node::library
