#include "capabilities/blobstore/drivers/azure/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "capabilities/blobstore/drivers/azure/upload.h"
#include "capabilities/blobstore/drivers/http_objects.h"
#include "io/loop.h"

namespace weft::blobstore::azure {
namespace {

using remote::azure::Blob;
using remote::azure::BlobList;
using remote::azure::Blobs;
using remote::azure::Listed;
using Repeat = Blobs::Repeat;

// Beyond the largest blob: a range that begins there has nothing in it.
constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 53;
// Azure takes 254, of which a container's prefix has two.
constexpr std::ptrdiff_t kSlashesMax = 250;
// The first byte of characters from U+D000 on, and what follows it from U+D800 on.
constexpr unsigned char kLastLead = 0xed;
constexpr unsigned char kSurrogates = 0xa0;
constexpr std::string_view kLastCharacter = "\xed\x9f\xbf";
// Behind a container's marker, it comes behind everything of weft's own.
constexpr char kBehindReserved = '~';

bool container_absent(const Error& error) {
  return error.message().find("ContainerNotFound") != std::string::npos;
}

// The character at the start of `text`, in bytes; 0 where there is none that is below U+D800.
std::size_t character_size(std::string_view text) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  // Those below 0xc2 begin nothing, or what has a shorter form.
  if (lead < 0xc2 || lead > kLastLead) return 0;
  std::size_t size = lead < 0xe0 ? 2 : 3;
  if (text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && at(1) < 0xa0) return 0;
  return lead == kLastLead && at(1) >= kSurrogates ? 0 : size;
}

// What of a name can stand in a request, or a little more: no name of a blob that comes behind all
// of `after` comes before it.
std::string bound_below(std::string_view after) {
  std::size_t size = 0;
  while (size < after.size()) {
    unsigned char c = static_cast<unsigned char>(after[size]);
    std::size_t character = character_size(after.substr(size));
    if (c < ' ' || c == 0x7f || character == 0) break;
    size += character;
  }
  std::string bound(after.substr(0, size));
  // The last of the characters that names of blobs have.
  bool high = size < after.size() && static_cast<unsigned char>(after[size]) >= kLastLead;
  return high ? bound + std::string(kLastCharacter) : bound;
}

using AzureWriter = VersionedWriter<AzureContainer>;

}  // namespace

bool is_blob_name(std::string_view name) {
  if (std::ranges::count(name, '/') > kSlashesMax) return false;
  bool odd = name.find('\\') != std::string_view::npos ||
             name.find("./") != std::string_view::npos || name.ends_with('.');
  if (odd) return false;
  while (!name.empty()) {
    std::size_t size = character_size(name);
    if (size == 0) return false;
    name.remove_prefix(size);
  }
  return true;
}

ObjectKeys Place::keys_of(const ContainerName& name) const {
  return ObjectKeys(settings->prefix ? *settings->prefix : container_prefix(name), is_blob_name);
}

AzureContainer::AzureContainer(Place place, ContainerName name)
    : place_(std::move(place)), name_(std::move(name)), keys_(place_.keys_of(name_)) {}

Task<std::string> AzureContainer::version(Request request) {
  if (!place_.made()) co_return std::string();
  CO_TRY(std::optional<Blob> marker, co_await place_.blobs->head(keys_.marker(), request.deadline));
  if (!marker) co_return no_container(name_.name);
  co_return marker->etag;
}

Task<ContainerInfo> AzureContainer::info(Request request) {
  // When the account's container was changed last says nothing of this one.
  if (!place_.made()) co_return ContainerInfo{};
  CO_TRY(std::optional<Blob> marker, co_await place_.blobs->head(keys_.marker(), request.deadline));
  if (!marker) co_return no_container(name_.name);
  co_return ContainerInfo{marker->modified_at};
}

Task<std::unique_ptr<ObjectReader>> AzureContainer::read(Request request, std::string name,
                                                         Range range) {
  CO_TRY_VOID(check_object(name));
  std::string key = keys_.of(name).text;
  if (range.first > range.last || range.first >= kOffsetMax) {
    CO_TRY(std::optional<Blob> blob, co_await place_.blobs->head(key, request.deadline));
    if (!blob) co_return no_object(name_.name, name);
    co_return empty_reader();
  }
  auto response = co_await place_.blobs->get(key, {range.first, range.last}, {}, request.deadline);
  if (!response) {
    bool absent = response.error().code() == Errc::kNotFound && !container_absent(response.error());
    if (absent) co_return no_object(name_.name, name);
    co_return std::unexpected(std::move(response).error());
  }
  auto again = [blobs = place_.blobs, key = std::move(key)](Request asked, Range rest,
                                                            std::string etag) {
    return blobs->get(key, {rest.first, rest.last}, std::move(etag), asked.deadline);
  };
  co_return reader_of(*std::move(response), range.first, std::move(again));
}

Task<std::unique_ptr<ObjectWriter>> AzureContainer::write(Request request, std::string name) {
  CO_TRY_VOID(check_object(name));
  CO_TRY(std::string now, co_await version(request));
  ObjectKeys::Key key = keys_.of(name);
  auto upload = std::make_shared<Upload>(place_.blobs, place_.settings->part_bytes, key.text,
                                         key.hashed ? std::move(name) : std::string());
  co_return std::make_unique<AzureWriter>(AzureContainer(place_, name_), std::move(now),
                                          std::move(upload));
}

Task<std::optional<ObjectInfo>> AzureContainer::find(Request request, std::string name) {
  CO_TRY_VOID(check_object(name));
  CO_TRY(std::optional<Blob> blob,
         co_await place_.blobs->head(keys_.of(name).text, request.deadline));
  if (blob) co_return ObjectInfo{blob->size, blob->modified_at};
  CO_TRY_VOID(co_await version(request));
  co_return std::nullopt;
}

Task<void> AzureContainer::erase(Request request, std::vector<std::string> names) {
  CO_TRY_VOID(check_names(names));
  CO_TRY_VOID(check_begin(request.deadline));
  CO_TRY_VOID(co_await version(request));
  std::vector<std::string> keys;
  keys.reserve(names.size());
  for (const std::string& name : names) keys.push_back(keys_.of(name).text);
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  co_return co_await place_.blobs->remove_many(std::move(keys), request.deadline);
}

Task<void> AzureContainer::clear(Request request) {
  CO_TRY_VOID(check_begin(request.deadline));
  CO_TRY_VOID(co_await version(request));
  std::string after;
  for (;;) {
    CO_TRY(BlobList list,
           co_await place_.blobs->list(keys_.prefix(), after, Blobs::kListMax, request.deadline));
    std::vector<std::string> names;
    for (Listed& each : list.blobs) names.push_back(std::move(each.name));
    if (names.empty()) co_return Result<void>();
    after = names.back();
    std::erase(names, keys_.marker());
    CO_TRY_VOID(co_await place_.blobs->remove_many(std::move(names), request.deadline));
    if (!list.more) co_return Result<void>();
  }
}

// Names that are their keys, without what is weft's own among them.
Task<AzureContainer::Names> AzureContainer::plain_names(Request request, std::string after) {
  std::string from = after.empty() ? "" : keys_.prefix() + bound_below(after);
  for (;;) {
    CO_TRY(BlobList list,
           co_await place_.blobs->list(keys_.prefix(), from, Blobs::kListMax, request.deadline));
    Names out;
    out.more = list.more;
    for (const Listed& each : list.blobs) {
      if (keys_.reserved(each.name)) continue;
      std::string name = keys_.name_of(each.name);
      // What somebody else put there under a name that is spelled otherwise is not reached by it.
      if (name > after && keys_.of(name).text == each.name) out.names.push_back(std::move(name));
    }
    if (!out.names.empty() || !out.more) co_return out;
    // None of them is a name: what is behind the special ones comes at once.
    from = list.blobs.back().name;
    if (keys_.reserved(from)) from = keys_.marker() + kBehindReserved;
  }
}

// Names that are spelled, in their order.
Task<AzureContainer::Names> AzureContainer::special_names(Request request, std::string after) {
  std::string from = after.empty() ? "" : keys_.special_after(after);
  for (;;) {
    CO_TRY(BlobList list,
           co_await place_.blobs->list(keys_.special(), from, Blobs::kListMax, request.deadline));
    Names out;
    out.more = list.more;
    std::string group;
    for (const Listed& each : list.blobs) {
      auto spelled = keys_.spelled(each.name);
      if (!spelled) continue;
      if (!spelled->hashed) {
        auto name = ObjectKeys::unspelled(spelled->text);
        if (name && *name > after) out.names.push_back(*std::move(name));
      } else if (spelled->text != group) {
        group = spelled->text;
        CO_TRY(Names hashed, co_await hashed_names(request, group, after));
        std::ranges::move(hashed.names, std::back_inserter(out.names));
      }
    }
    if (!out.names.empty() || !out.more) co_return out;
    from = list.blobs.back().name;
  }
}

// Those whose keys begin alike, up to the hash. Their order is not that of the keys.
Task<AzureContainer::Names> AzureContainer::hashed_names(Request request, std::string spelled,
                                                         std::string after) {
  CO_TRY(BlobList list, co_await place_.blobs->list(keys_.special() + spelled, {}, Blobs::kListMax,
                                                    request.deadline));
  if (list.more) {
    co_return failure(Errc::kLimit,
                      fmt::format("more than {} names begin with the same {} bytes or so, which is "
                                  "too many to list: shorten them",
                                  Blobs::kListMax, ObjectKeys::kSpelledMax / 3));
  }
  Names out;
  for (Listed& each : list.blobs) {
    // Not weft's.
    if (keys_.of(each.noted).text != each.name) continue;
    if (each.noted > after) out.names.push_back(std::move(each.noted));
  }
  std::ranges::sort(out.names);
  co_return out;
}

Task<Page> AzureContainer::list(Request request, std::string after) {
  CO_TRY(Names plain, co_await plain_names(request, after));
  CO_TRY(Names special, co_await special_names(request, after));
  if (plain.names.empty() && special.names.empty()) CO_TRY_VOID(co_await version(request));
  Page page;
  std::size_t bytes = 0, p = 0, s = 0;
  // What comes next is known as long as neither of the two has run out before its end.
  for (;;) {
    bool plain_out = p == plain.names.size(), special_out = s == special.names.size();
    if ((plain_out && plain.more) || (special_out && special.more)) break;
    if (plain_out && special_out) co_return page;
    bool first = special_out || (!plain_out && plain.names[p] < special.names[s]);
    std::string& name = first ? plain.names[p] : special.names[s];
    bytes += name.size();
    if (bytes > kPageBytesMax && !page.names.empty()) break;
    page.names.push_back(std::move(name));
    (first ? p : s)++;
  }
  page.more = true;
  co_return page;
}

Task<void> AzureStore::create(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  CO_TRY_VOID(check_begin(request.deadline));
  if (!place_.made()) co_return container_there(name.name);
  // What is in it differs each time, and with it the ETag.
  Bytes marker = to_bytes(ObjectKeys::new_marker());
  CO_TRY(std::optional<std::string> made,
         co_await place_.blobs->put(place_.keys_of(name).marker(), Blobs::Pieces(&marker, 1),
                                    {.etag = std::string(Blobs::kAbsent)}, request.deadline));
  if (!made) co_return container_there(name.name);
  co_return Result<void>();
}

Task<std::unique_ptr<Container>> AzureStore::open(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  auto container = std::make_unique<AzureContainer>(place_, std::move(name));
  CO_TRY_VOID(co_await container->version(request));
  co_return container;
}

Task<bool> AzureStore::exists(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  if (!place_.made()) {
    CO_TRY_VOID(co_await place_.blobs->reach(request.deadline));
    co_return true;
  }
  CO_TRY(std::optional<Blob> marker,
         co_await place_.blobs->head(place_.keys_of(name).marker(), request.deadline));
  co_return marker.has_value();
}

// The marker goes last: until then the deletion can be begun again.
Task<void> AzureStore::remove(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  CO_TRY_VOID(check_begin(request.deadline));
  if (!place_.made()) {
    co_return failure(
        Errc::kDenied,
        fmt::format("the operator's file says where this container is (prefix = \"{}\"): what is "
                    "there is not deleted as a whole; clear empties it",
                    *place_.settings->prefix));
  }
  AzureContainer container(place_, std::move(name));
  CO_TRY_VOID(co_await container.clear(request));
  co_return co_await place_.blobs->remove(container.keys().marker(), Repeat::kYes,
                                          request.deadline);
}

Task<void> AzureStore::copy(Request request, ObjectId from, ObjectId to) {
  CO_TRY_VOID(check_object(from));
  CO_TRY_VOID(check_object(to));
  CO_TRY_VOID(check_begin(request.deadline));
  auto source = place_.keys_of(from.container).of(from.object);
  auto target = place_.keys_of(to.container).of(to.object);
  if (source.text == target.text) {
    CO_TRY(std::optional<Blob> blob, co_await place_.blobs->head(source.text, request.deadline));
    if (!blob) co_return no_object(from.container.name, from.object);
    co_return Result<void>();
  }
  CO_TRY_VOID(co_await AzureContainer(place_, to.container).version(request));
  // What is kept beside the source goes along, unless something else is said.
  CO_TRY(bool copied, co_await place_.blobs->copy({.from = source.text,
                                                   .to = target.text,
                                                   .renote = source.hashed || target.hashed,
                                                   .noted = to.object},
                                                  request.deadline));
  if (!copied) co_return no_object(from.container.name, from.object);
  co_return Result<void>();
}

Task<void> AzureStore::move(Request request, ObjectId from, ObjectId to) {
  CO_TRY_VOID(co_await copy(request, from, to));
  auto source = place_.keys_of(from.container).of(from.object);
  auto target = place_.keys_of(to.container).of(to.object);
  if (source.text == target.text) co_return Result<void>();
  co_return co_await place_.blobs->remove(source.text, Repeat::kYes, request.deadline);
}

}  // namespace weft::blobstore::azure
