#include "node/library/catalogue.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/nearest.h"
#include "base/read_file.h"
#include "base/whole_file.h"
#include "node/library/catalogue_json.h"
#include "node/library/names.h"
#include "node/object/beacon.h"

namespace weft::node::library {
namespace {

constexpr std::string_view kDigestPrefix = "weft catalogue 1\n";
constexpr std::size_t kFilePathMax = 4'096;

bool comes_before(const Library& a, const Library& b) {
  if (a.name != b.name) return a.name < b.name;
  if (version_before(a.version, b.version)) return true;
  // Versions that are as new, and still two.
  return !version_before(b.version, a.version) && a.version < b.version;
}

bool is_one_line(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

Result<void> check_functions(std::span<const LibraryFunction> functions, const std::string& whose) {
  if (functions.size() > kLibraryFunctionsMax) {
    return failure(Errc::kLimit, fmt::format("a library has at most {} functions, {} has {}",
                                             kLibraryFunctionsMax, whose, functions.size()));
  }
  for (const LibraryFunction& function : functions) {
    if (function.name.empty() || function.name.size() > kFunctionNameMax ||
        function.signature.size() > kSignatureMax || !is_one_line(function.name) ||
        !is_one_line(function.signature)) {
      return failure(Errc::kInvalid,
                     fmt::format("{}: a function's name has at most {} bytes and its type {}, "
                                 "each on one line",
                                 whose, kFunctionNameMax, kSignatureMax));
    }
  }
  return {};
}

Result<void> check_library(const Library& library) {
  TRY_VOID(check_library_name(library.name));
  TRY_VOID(check_version(library.version));
  if (library.file.size() > kFilePathMax) {
    return failure(Errc::kLimit,
                   fmt::format("the path of a file has at most {} bytes", kFilePathMax));
  }
  return check_functions(library.functions, fmt::format("{} {}", library.name, library.version));
}

std::string title(const Library& library) {
  return fmt::format("{}@{}", library.name, library.version);
}

std::unexpected<Error> no_such(std::string_view name, std::span<const Library> libraries) {
  std::vector<std::string_view> known;
  for (const Library& each : libraries) known.push_back(each.name);
  std::string hint;
  if (auto near = nearest(name, known)) hint = fmt::format(": is it \"{}\"?", *near);
  return failure(Errc::kNotFound, fmt::format("there is no library \"{}\"{}",
                                              name.substr(0, kLibraryNameMax), hint));
}

std::unexpected<Error> no_such_version(std::string_view version, std::span<const Library> named) {
  std::vector<std::string_view> there;
  for (const Library& each : named) there.push_back(each.version);
  return failure(Errc::kNotFound, fmt::format("there is no version {} of {}: there is {}",
                                              version.substr(0, kVersionMax), named.front().name,
                                              fmt::join(there, ", ")));
}

// Those of a name, in order; kNotFound where there is none.
Result<std::span<const Library>> named(std::span<const Library> libraries, std::string_view name) {
  auto found = std::ranges::equal_range(
      libraries, name, {}, [](const Library& each) -> std::string_view { return each.name; });
  if (found.empty()) return no_such(name, libraries);
  return std::span<const Library>(found);
}

Result<const Library*> of_version(std::span<const Library> named, std::string_view version) {
  auto found = std::ranges::find(named, version, &Library::version);
  if (found == named.end()) return no_such_version(version, named);
  return &*found;
}

}  // namespace

Catalogue::Catalogue(std::filesystem::path file, std::vector<Library> libraries)
    : file_(std::move(file)), libraries_(std::move(libraries)) {
  changed();
}

Result<std::unique_ptr<Catalogue>> Catalogue::open(std::filesystem::path file) {
  auto text = read_file(file.string(), kCatalogueFileMax);
  if (!text && text.error().code() == Errc::kNotFound) {
    return std::unique_ptr<Catalogue>(new Catalogue(std::move(file), {}));
  }
  auto read = [&] -> Result<std::vector<Library>> {
    TRY_VOID(text);
    TRY(auto libraries, read_catalogue_file(*text));
    for (const Library& each : libraries) TRY_VOID(check_library(each));
    if (libraries.size() > kLibrariesMax) {
      return failure(Errc::kLimit, fmt::format("it has more than {} libraries", kLibrariesMax));
    }
    std::ranges::sort(libraries, comes_before);
    auto twice = std::ranges::adjacent_find(libraries, [](const Library& a, const Library& b) {
      return a.name == b.name && a.version == b.version;
    });
    if (twice == libraries.end()) return libraries;
    return failure(Errc::kInvalid, fmt::format("{} stands there twice", title(*twice)));
  };
  auto libraries = read();
  if (!libraries) return std::unexpected(std::move(libraries).error().within(file.string()));
  return std::unique_ptr<Catalogue>(new Catalogue(std::move(file), *std::move(libraries)));
}

Result<void> Catalogue::save(const std::vector<Library>& libraries) const {
  std::string text = catalogue_file(libraries);
  if (text.size() > kCatalogueFileMax) {
    return failure(Errc::kLimit,
                   fmt::format("the catalogue would have more than {} bytes", kCatalogueFileMax));
  }
  return write_whole(file_, as_bytes(text), Durable::kYes);
}

Result<Added> Catalogue::add(Library library) {
  TRY_VOID(check_library(library));
  std::scoped_lock lock(mutex_);
  auto place = std::ranges::lower_bound(libraries_, library, comes_before);
  bool is_there =
      place != libraries_.end() && place->name == library.name && place->version == library.version;
  if (is_there && place->module != library.module) {
    return failure(Errc::kConflict,
                   fmt::format("{} is here already, as another module ({}, from {}): remove it "
                               "first, or give this one another version",
                               title(library), place->module.text(), place->file));
  }
  if (is_there && *place == library) return Added::kSame;
  if (!is_there && libraries_.size() >= kLibrariesMax) {
    return failure(Errc::kLimit,
                   fmt::format("there are {} libraries, and no more may be", kLibrariesMax));
  }
  auto libraries = libraries_;
  auto at = libraries.begin() + (place - libraries_.begin());
  if (is_there) {
    *at = std::move(library);
  } else {
    libraries.insert(at, std::move(library));
  }
  TRY_VOID(save(libraries));
  libraries_ = std::move(libraries);
  changed();
  return is_there ? Added::kSame : Added::kNew;
}

Result<Library> Catalogue::remove(std::string_view name, std::optional<std::string_view> version) {
  std::scoped_lock lock(mutex_);
  TRY(auto of_name, named(libraries_, name));
  const Library* found = &of_name.front();
  if (version) {
    TRY(found, of_version(of_name, *version));
  } else if (of_name.size() > 1) {
    std::vector<std::string> there;
    for (const Library& each : of_name) there.push_back(title(each));
    return failure(Errc::kConflict,
                   fmt::format("there are several: say which of {}", fmt::join(there, ", ")));
  }
  auto libraries = libraries_;
  auto at = libraries.begin() + (found - libraries_.data());
  Library removed = std::move(*at);
  libraries.erase(at);
  TRY_VOID(save(libraries));
  libraries_ = std::move(libraries);
  changed();
  return removed;
}

Result<Library> Catalogue::find(std::string_view name,
                                std::optional<std::string_view> version) const {
  std::scoped_lock lock(mutex_);
  TRY(auto of_name, named(libraries_, name));
  if (!version) return of_name.back();
  TRY(auto found, of_version(of_name, *version));
  return *found;
}

std::vector<Library> Catalogue::list() const {
  std::scoped_lock lock(mutex_);
  return libraries_;
}

std::vector<Library> Catalogue::exporting(std::string_view function) const {
  std::scoped_lock lock(mutex_);
  std::vector<Library> found;
  for (const Library& each : libraries_) {
    if (std::ranges::find(each.functions, function, &LibraryFunction::name) !=
        each.functions.end()) {
      found.push_back(each);
    }
  }
  return found;
}

Result<void> Catalogue::set_services(std::vector<Service> services) {
  if (services.size() > kServicesMax) {
    return failure(Errc::kLimit, fmt::format("a node serves at most {} interfaces", kServicesMax));
  }
  for (const Service& each : services) {
    TRY_VOID(check_interface_name(each.interface));
    TRY_VOID(check_functions(each.functions, each.interface));
  }
  std::ranges::sort(services, {}, &Service::interface);
  auto differ = std::ranges::adjacent_find(services, [](const Service& a, const Service& b) {
    return a.interface == b.interface && a.module != b.module;
  });
  if (differ != services.end()) {
    return failure(Errc::kConflict, fmt::format("two modules would serve {}", differ->interface));
  }
  auto again = std::ranges::unique(services, {}, &Service::interface);
  services.erase(again.begin(), again.end());
  std::scoped_lock lock(mutex_);
  services_ = std::move(services);
  changed();
  return {};
}

std::vector<Service> Catalogue::services() const {
  std::scoped_lock lock(mutex_);
  return services_;
}

std::optional<Hash> Catalogue::serving(std::string_view function) const {
  std::string_view wanted = function.substr(0, function.rfind('#'));
  bool any_version = wanted.find('@') == std::string_view::npos;
  std::scoped_lock lock(mutex_);
  const Service* found = nullptr;
  for (const Service& each : services_) {
    std::string_view interface = each.interface;
    if (interface == wanted) return each.module;
    std::size_t at = interface.find('@');
    if (!any_version || interface.substr(0, at) != wanted) continue;
    bool newer = found == nullptr ||
                 version_before(found->interface.substr(at + 1), interface.substr(at + 1));
    if (newer) found = &each;
  }
  return found == nullptr ? std::nullopt : std::optional(found->module);
}

Hash Catalogue::digest() const {
  std::scoped_lock lock(mutex_);
  return digest_;
}

std::string Catalogue::offers() const {
  std::scoped_lock lock(mutex_);
  return offers_;
}

void Catalogue::changed() {
  Hasher hasher;
  hasher.add(as_bytes(kDigestPrefix));
  hasher.add(as_bytes(catalogue_json(libraries_, services_)));
  digest_ = hasher.finish();
  offers_.clear();
  auto add = [&](std::string_view line) {
    std::size_t size = line.size() + (offers_.empty() ? 0 : 1);
    // A shorter one that comes later may still fit.
    if (size > kBeaconOffersMax - offers_.size()) return;
    if (!offers_.empty()) offers_ += '\n';
    offers_ += line;
  };
  for (const Service& service : services_) add(service.interface);
  for (std::size_t i = 0; i < libraries_.size(); ++i) {
    bool newest = i + 1 == libraries_.size() || libraries_[i + 1].name != libraries_[i].name;
    if (newest) add(title(libraries_[i]));
  }
}

std::string Catalogue::json() const {
  std::scoped_lock lock(mutex_);
  return catalogue_json(libraries_, services_);
}

std::string Catalogue::json(const Shown& shown) const {
  std::vector<Library> libraries = list();
  std::erase_if(libraries, [&](const Library& each) { return !shown(each); });
  return catalogue_json(libraries, services());
}

}  // namespace weft::node::library
