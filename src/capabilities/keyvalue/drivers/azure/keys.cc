#include "capabilities/keyvalue/drivers/azure/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "capabilities/keyvalue/drivers/azure/names.h"
#include "capabilities/keyvalue/drivers/many.h"
#include "io/loop.h"

namespace weft::keyvalue::azure {
namespace {

using remote::azure::Blob;
using remote::azure::BlobList;
using remote::azure::Blobs;
using remote::azure::Listed;
using Pieces = Blobs::Pieces;

std::string etag_of(std::uint64_t version) {
  return fmt::format("\"0x{:X}\"", version);
}

// An ETag as the number that it is.
Result<std::uint64_t> version_of(std::string_view etag) {
  std::uint64_t version = 0;
  constexpr std::string_view kBegin = "\"0x";
  if (etag.starts_with(kBegin)) {
    std::from_chars(etag.data() + kBegin.size(), etag.data() + etag.size(), version, 16);
  }
  if (version != 0 && etag_of(version) == etag) return version;
  return failure(Errc::kCorrupt, "Azure Blob: an ETag that is none of Azure's");
}

// Empty values have no piece: one without bytes would be taken for the end of the others.
Pieces pieces_of(const Bytes& value) {
  return value.empty() ? Pieces() : Pieces(&value, 1);
}

}  // namespace

Keys::Keys(std::shared_ptr<Blobs> blobs, std::string prefix, std::size_t page_keys)
    : blobs_(std::move(blobs)),
      prefix_(std::move(prefix)),
      page_keys_(page_keys),
      turns_(std::make_shared<Turns>(blobs_->loop())) {}

std::string Keys::name_of(std::string_view key) const {
  return prefix_ + spelled(key).text;
}

std::string Keys::noted_of(std::string_view key) {
  return spelled(key).hashed ? std::string(key) : std::string();
}

Task<Snapshot> Keys::read(std::string key, std::shared_ptr<Budget> budget, Deadline deadline) {
  auto response = co_await blobs_->get(name_of(key), {}, {}, deadline);
  if (!response) {
    bool absent = response.error().code() == Errc::kNotFound &&
                  response.error().message().find("ContainerNotFound") == std::string::npos;
    if (absent) co_return Snapshot{};
    co_return std::unexpected(std::move(response).error());
  }
  CO_TRY(std::uint64_t version, version_of((*response)->header("etag")));
  std::string_view length = (*response)->header("content-length");
  std::size_t size = 0;
  auto [end, problem] = std::from_chars(length.data(), length.data() + length.size(), size);
  if (length.empty() || problem != std::errc()) {
    co_return failure(Errc::kCorrupt, "Azure Blob: a blob whose size the server does not say");
  }
  if (size > kValueBytesMax) {
    co_return failure(Errc::kInvalid,
                      fmt::format("a value of {} bytes, which others wrote: at most {} are allowed",
                                  size, kValueBytesMax));
  }
  if (budget != nullptr) {
    if (size > budget->left) co_return std::unexpected(answer_too_large());
    budget->left -= size;
  }
  Bytes value;
  value.reserve(size);
  for (;;) {
    CO_TRY(Bytes piece, co_await (*response)->read(deadline));
    if (piece.empty()) break;
    value.insert(value.end(), piece.begin(), piece.end());
  }
  co_return Snapshot{std::move(value), version};
}

Task<bool> Keys::exists(std::string key, Deadline deadline) {
  CO_TRY(std::optional<Blob> blob, co_await blobs_->head(name_of(key), deadline));
  co_return blob.has_value();
}

Task<Page> Keys::list(std::optional<std::string> cursor, Deadline deadline) {
  std::string after = cursor ? name_of(*cursor) : std::string();
  Page page;
  for (;;) {
    CO_TRY(BlobList list, co_await blobs_->list(prefix_, after, page_keys_, deadline));
    for (Listed& each : list.blobs) {
      std::string_view text = std::string_view(each.name).substr(prefix_.size());
      // What others have put there under a name that spells no key is none.
      bool noted = !each.noted.empty() && spelled(each.noted).text == text;
      auto key = noted ? std::optional(std::move(each.noted)) : unspelled(text);
      if (key) page.keys.push_back(*std::move(key));
    }
    if (!list.more) co_return page;
    if (!page.keys.empty()) break;
    after = list.blobs.back().name;
  }
  page.cursor = page.keys.back();
  co_return page;
}

Task<void> Keys::write(Turns::Turn turn, Change change, Deadline deadline) {
  CO_TRY_VOID(co_await turn.come(deadline));
  std::string name = name_of(change.key);
  // Never sent again: what another wrote meanwhile would be lost.
  if (!change.value) {
    co_return co_await blobs_->remove(std::move(name), Blobs::Repeat::kNo, deadline);
  }
  CO_TRY_VOID(co_await blobs_->put(std::move(name), pieces_of(*change.value),
                                   {.noted = noted_of(change.key)}, deadline));
  co_return Result<void>();
}

// What the tasks that write a batch have in common. Shared by them.
struct Keys::Batch {
  Batch(Loop& loop, std::vector<Write> all, Deadline until)
      : writes(std::move(all)), deadline(until), ended(loop) {}

  std::vector<Write> writes;
  const Deadline deadline;
  remote::Signal ended;
  std::size_t next = 0;
  std::size_t running = 0;
  std::optional<Error> error = {};
};

Task<void> Keys::write_some(std::shared_ptr<Keys> keys, std::shared_ptr<Batch> batch) {
  while (batch->next < batch->writes.size()) {
    Write& next = batch->writes[batch->next++];
    auto written =
        co_await keys->write(std::move(next.turn), std::move(next.change), batch->deadline);
    if (!written && !batch->error) batch->error = std::move(written).error();
  }
  --batch->running;
  batch->ended.raise();
  co_return Result<void>();
}

Task<void> Keys::write_many(std::vector<Write> writes, Deadline deadline) {
  auto batch = std::make_shared<Batch>(loop(), std::move(writes), deadline);
  batch->running = std::min(kBatchAtOnce, batch->writes.size());
  for (std::size_t i = batch->running; i > 0; --i) loop().spawn(write_some(self(), batch));
  // Each of them ends by the deadline.
  while (batch->running > 0) CO_TRY_VOID(co_await batch->ended.wait(Deadline::never()));
  if (batch->error) co_return std::unexpected(*std::move(batch->error));
  co_return Result<void>();
}

Task<std::uint64_t> Keys::swap(Turns::Turn turn, std::string key, std::uint64_t basis, Bytes value,
                               Deadline deadline) {
  CO_TRY_VOID(co_await turn.come(deadline));
  std::string etag = basis == 0 ? std::string(Blobs::kAbsent) : etag_of(basis);
  CO_TRY(std::optional<std::string> written,
         co_await blobs_->put(name_of(key), pieces_of(value),
                              {.noted = noted_of(key), .etag = std::move(etag)}, deadline));
  if (!written) co_return 0;
  co_return version_of(*written);
}

void Keys::read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) {
  auto work = [](std::shared_ptr<Keys> keys, std::string of, Deadline until,
                 Done<Snapshot> tell) -> Task<void> {
    Result<Snapshot> found = co_await keys->read(std::move(of), nullptr, until);
    Loop::Turn turn(keys->loop());
    tell(std::move(found));
    co_return Result<void>();
  };
  loop().spawn(work(self(), key, deadline, std::move(done)));
}

void Keys::swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                      Done<std::uint64_t> done) {
  auto work = [](std::shared_ptr<Keys> keys, std::string of, std::uint64_t version, Bytes bytes,
                 Deadline until, Done<std::uint64_t> tell) -> Task<void> {
    Result<std::uint64_t> written = 0;
    if (auto place = keys->turn(of, bytes.size())) {
      written =
          co_await keys->swap(*std::move(place), std::move(of), version, std::move(bytes), until);
    } else {
      written = std::unexpected(std::move(place).error());
    }
    Loop::Turn turn(keys->loop());
    tell(std::move(written));
    co_return Result<void>();
  };
  loop().spawn(work(self(), key, basis.value ? basis.version : 0, std::move(value), deadline,
                    std::move(done)));
}

}  // namespace weft::keyvalue::azure
