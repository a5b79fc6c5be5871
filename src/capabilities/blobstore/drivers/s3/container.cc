#include "capabilities/blobstore/drivers/s3/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "capabilities/blobstore/drivers/http_objects.h"
#include "capabilities/blobstore/drivers/s3/upload.h"
#include "remote/http/signal.h"

namespace weft::blobstore::s3 {
namespace {

constexpr std::size_t kListMax = 1000;
// Beyond the largest object of any such store: a range that begins there has nothing in it.
constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 53;
// Between two looks whether another has made a container.
constexpr std::chrono::milliseconds kLookAgain{10};

ObjectKeys keys_of(const Settings& settings, const ContainerName& name) {
  return ObjectKeys(settings.prefix ? *settings.prefix : container_prefix(name));
}

Error no_place_to_make(const Settings& settings) {
  return {Errc::kDenied,
          fmt::format("the operator's file says where this container is (prefix = \"{}\"): what is "
                      "there is not deleted as a whole; clear empties it",
                      *settings.prefix)};
}

using S3Writer = VersionedWriter<S3Container>;

}  // namespace

bool Making::begin(const std::string& prefix) {
  std::lock_guard lock(mutex_);
  return prefixes_.insert(prefix).second;
}
void Making::end(const std::string& prefix) {
  std::lock_guard lock(mutex_);
  prefixes_.erase(prefix);
}

S3Container::S3Container(std::shared_ptr<Client> client, ContainerName name)
    : client_(std::move(client)),
      name_(std::move(name)),
      keys_(keys_of(client_->settings(), name_)) {}

bool S3Container::made() const {
  return !client_->settings().prefix;
}

Task<std::string> S3Container::version(Request request) {
  if (!made()) co_return std::string();
  CO_TRY(std::optional<Head> marker, co_await client_->head(request, keys_.marker()));
  if (!marker) co_return no_container(name_.name);
  co_return marker->etag;
}

Task<ContainerInfo> S3Container::info(Request request) {
  // When a bucket was made is nothing that its users are told.
  if (!made()) co_return ContainerInfo{};
  CO_TRY(std::optional<Head> marker, co_await client_->head(request, keys_.marker()));
  if (!marker) co_return no_container(name_.name);
  co_return ContainerInfo{marker->modified_at};
}

Task<std::unique_ptr<ObjectReader>> S3Container::read(Request request, std::string name,
                                                      Range range) {
  CO_TRY_VOID(check_object(name));
  std::string key = keys_.of(name).text;
  if (range.first > range.last || range.first >= kOffsetMax) {
    CO_TRY(std::optional<Head> head, co_await client_->head(request, key));
    if (!head) co_return no_object(name_.name, name);
    co_return empty_reader();
  }
  auto response = co_await client_->get(request, key, range, {});
  if (!response) {
    bool absent = response.error().code() == Errc::kNotFound &&
                  response.error().message().find("NoSuchBucket") == std::string::npos;
    if (absent) co_return no_object(name_.name, name);
    co_return std::unexpected(std::move(response).error());
  }
  auto again = [client = client_, key = std::move(key)](Request asked, Range rest,
                                                        std::string etag) {
    return client->get(asked, key, rest, std::move(etag));
  };
  co_return reader_of(*std::move(response), range.first, std::move(again));
}

Task<std::unique_ptr<ObjectWriter>> S3Container::write(Request request, std::string name) {
  CO_TRY_VOID(check_object(name));
  CO_TRY(std::string now, co_await version(request));
  ObjectKeys::Key key = keys_.of(name);
  auto upload =
      std::make_shared<Upload>(client_, key.text, key.hashed ? std::move(name) : std::string());
  co_return std::make_unique<S3Writer>(S3Container(client_, name_), std::move(now),
                                       std::move(upload));
}

Task<std::optional<ObjectInfo>> S3Container::find(Request request, std::string name) {
  CO_TRY_VOID(check_object(name));
  CO_TRY(std::optional<Head> head, co_await client_->head(request, keys_.of(name).text));
  if (head) co_return ObjectInfo{head->size, head->modified_at};
  CO_TRY_VOID(co_await version(request));
  co_return std::nullopt;
}

Task<void> S3Container::erase(Request request, std::vector<std::string> names) {
  CO_TRY_VOID(check_names(names));
  CO_TRY_VOID(check_begin(request.deadline));
  CO_TRY_VOID(co_await version(request));
  std::vector<std::string> keys;
  keys.reserve(names.size());
  for (const std::string& name : names) keys.push_back(keys_.of(name).text);
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  if (keys.size() == 1) co_return co_await client_->remove(request, keys.front());
  co_return co_await client_->remove_many(request, std::move(keys));
}

Task<void> S3Container::clear(Request request) {
  CO_TRY_VOID(check_begin(request.deadline));
  CO_TRY_VOID(co_await version(request));
  std::string after;
  for (;;) {
    CO_TRY(Listing listing, co_await client_->list(request, keys_.prefix(), after, kListMax));
    if (listing.keys.empty()) co_return Result<void>();
    after = listing.keys.back();
    std::erase(listing.keys, keys_.marker());
    CO_TRY_VOID(co_await client_->remove_many(request, std::move(listing.keys)));
    if (!listing.more) co_return Result<void>();
  }
}

// Names that are their keys, without what is weft's own among them.
Task<S3Container::Names> S3Container::plain_names(Request request, std::string after) {
  std::string from = after.empty() ? "" : keys_.prefix() + after;
  for (;;) {
    CO_TRY(Listing listing, co_await client_->list(request, keys_.prefix(), from, kListMax));
    Names out;
    out.more = listing.more;
    for (const std::string& key : listing.keys) {
      if (keys_.reserved(key)) continue;
      // What somebody else put there under a name that is spelled otherwise is not reached by it.
      std::string name = keys_.name_of(key);
      if (!name.empty() && keys_.of(name).text == key) out.names.push_back(std::move(name));
    }
    if (!out.names.empty() || !out.more) co_return out;
    // None of them is a name: what is behind the special ones comes at once.
    from = listing.keys.back();
    if (keys_.reserved(from)) from = keys_.behind_special();
  }
}

// The names of one page of special keys; those whose keys are spelled alike are all in it.
Task<S3Container::Names> S3Container::special_names(Request request, std::string after) {
  Names out;
  // The names that are hashed together with the last one are looked through again.
  std::string from = after.empty() ? "" : keys_.special_after(after);
  for (;;) {
    CO_TRY(Listing listing, co_await client_->list(request, keys_.special(), from, kListMax));
    out.more = listing.more;
    std::string group;
    for (const std::string& key : listing.keys) {
      auto spelled = keys_.spelled(key);
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
    from = listing.keys.back();
  }
}

// Those whose keys begin alike, up to the hash. Their order is not that of the keys.
Task<S3Container::Names> S3Container::hashed_names(Request request, std::string spelled,
                                                   std::string after) {
  std::string prefix = keys_.special() + spelled;
  CO_TRY(Listing listing, co_await client_->list(request, prefix, prefix, kListMax));
  if (listing.more) {
    co_return failure(Errc::kLimit,
                      fmt::format("more than {} names begin with the same {} bytes or so, which is "
                                  "too many to list: shorten them",
                                  kListMax, ObjectKeys::kSpelledMax / 3));
  }
  Names out;
  for (const std::string& key : listing.keys) {
    CO_TRY(std::optional<Head> head, co_await client_->head(request, key));
    // Gone meanwhile, or not weft's.
    if (!head || keys_.of(head->name).text != key) continue;
    if (head->name > after) out.names.push_back(std::move(head->name));
  }
  std::ranges::sort(out.names);
  co_return out;
}

Task<Page> S3Container::list(Request request, std::string after) {
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

Task<void> S3Store::create(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  CO_TRY_VOID(check_begin(request.deadline));
  if (!made()) co_return container_there(name.name);
  ObjectKeys keys = keys_of(client_->settings(), name);
  // Not every server keeps two that come at once apart; those of one process are kept apart here,
  // and nobody is told that it is there before it is.
  while (!making_->begin(keys.prefix())) {
    auto next = Deadline::after(kLookAgain);
    CO_TRY_VOID(co_await remote::pause(request.loop, earlier(next, request.deadline)));
    CO_TRY_VOID(check_begin(request.deadline));
  }
  struct Made {
    Making& making;
    const std::string& prefix;
    ~Made() { making.end(prefix); }
  } done{*making_, keys.prefix()};
  CO_TRY(std::optional<Head> marker, co_await client_->head(request, keys.marker()));
  if (marker) co_return container_there(name.name);
  // What is in it differs each time, and with it the etag.
  CO_TRY(bool created, co_await client_->put_new(request, keys.marker(), ObjectKeys::new_marker()));
  if (!created) co_return container_there(name.name);
  co_return Result<void>();
}

Task<std::unique_ptr<Container>> S3Store::open(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  auto container = std::make_unique<S3Container>(client_, std::move(name));
  CO_TRY_VOID(co_await container->version(request));
  co_return container;
}

Task<bool> S3Store::exists(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  if (!made()) {
    CO_TRY_VOID(co_await client_->reach(request));
    co_return true;
  }
  ObjectKeys keys = keys_of(client_->settings(), name);
  CO_TRY(std::optional<Head> marker, co_await client_->head(request, keys.marker()));
  co_return marker.has_value();
}

// The marker goes last: until then the deletion can be begun again.
Task<void> S3Store::remove(Request request, ContainerName name) {
  CO_TRY_VOID(check_container(name));
  CO_TRY_VOID(check_begin(request.deadline));
  if (!made()) co_return std::unexpected(no_place_to_make(client_->settings()));
  S3Container container(client_, std::move(name));
  CO_TRY_VOID(co_await container.clear(request));
  co_return co_await client_->remove(request, container.keys().marker());
}

Task<void> S3Store::copy(Request request, ObjectId from, ObjectId to) {
  CO_TRY_VOID(check_object(from));
  CO_TRY_VOID(check_object(to));
  CO_TRY_VOID(check_begin(request.deadline));
  auto source = keys_of(client_->settings(), from.container).of(from.object);
  auto target = keys_of(client_->settings(), to.container).of(to.object);
  if (source.text == target.text) {
    CO_TRY(std::optional<Head> head, co_await client_->head(request, source.text));
    if (!head) co_return no_object(from.container.name, from.object);
    co_return Result<void>();
  }
  CO_TRY_VOID(co_await S3Container(client_, to.container).version(request));
  bool new_name = source.hashed || target.hashed;
  CO_TRY(bool copied, co_await client_->copy(request, source.text, target.text, new_name,
                                             target.hashed ? to.object : std::string()));
  if (!copied) co_return no_object(from.container.name, from.object);
  co_return Result<void>();
}

Task<void> S3Store::move(Request request, ObjectId from, ObjectId to) {
  CO_TRY_VOID(co_await copy(request, from, to));
  auto source = keys_of(client_->settings(), from.container).of(from.object);
  auto target = keys_of(client_->settings(), to.container).of(to.object);
  if (source.text == target.text) co_return Result<void>();
  co_return co_await client_->remove(request, source.text);
}

}  // namespace weft::blobstore::s3
