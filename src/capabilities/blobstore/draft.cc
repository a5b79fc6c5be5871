// wasi:blobstore@0.2.0-draft: bodies are streams of wasi:io, errors are words.
#include <fmt/format.h>

#include "capabilities/blobstore/host.h"
#include "capabilities/blobstore/names.h"
#include "capabilities/hosted.h"
#include "door/answer.h"
#include "wit/wasi/blobstore_0_2_0_draft/blobstore.h"
#include "wit/wasi/blobstore_0_2_0_draft/container.h"
#include "wit/wasi/blobstore_0_2_0_draft/types.h"

namespace weft::blobstore {
namespace {

namespace wit = ::weft::wit::wasi::blobstore_0_2_0_draft;

// The driver's, where the guest's resource of that name is in sight.
using Objects = Container;

template <class T>
using Or = std::expected<T, std::string>;

Request request_of(Call& call) {
  return {call.context().loop(), call.deadline()};
}

// What came of the work, as the guest's result: a failure is told in words.
template <class T>
Or<T> words(Result<T> result) {
  if (!result) return std::unexpected(result.error().message());
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return *std::move(result);
  }
}

template <class T>
Answer<Or<T>> answer(Task<T> task) {
  return Answer<T>(std::move(task)).settle([](Result<T> result) {
    return words<T>(std::move(result));
  });
}

// The same with what `map` makes of the value.
template <class U, class T, class Map>
Answer<Or<U>> answer(Task<T> task, Map map) {
  return Answer<T>(std::move(task))
      .settle([map = std::move(map)](Result<T> result) mutable -> Or<U> {
        if (!result) return std::unexpected(result.error().message());
        return map(*std::move(result));
      });
}

class DraftOutgoing final : public wit::types::OutgoingValue {
 public:
  explicit DraftOutgoing(std::shared_ptr<Upload> upload) : upload_(std::move(upload)) {}
  ~DraftOutgoing() override {
    if (upload_ != nullptr) upload_->abandon();
  }

  Answer<std::expected<OutputPipe, Nothing>> outgoing_value_write_body(Call&) override {
    using Body = std::expected<OutputPipe, Nothing>;
    Result<OutputPipe> body = Upload::open_body(upload_);
    if (!body) return Body(std::unexpected(Nothing()));
    return Body(*std::move(body));
  }

  const std::shared_ptr<Upload>& upload() const { return upload_; }
  std::shared_ptr<Upload> release() { return std::move(upload_); }

 private:
  std::shared_ptr<Upload> upload_;  // Shared with the task that fills it.
};

class DraftIncoming final : public wit::types::IncomingValue {
 public:
  explicit DraftIncoming(std::unique_ptr<Download> download) : download_(std::move(download)) {}

  Answer<std::uint64_t> size(Call&) override { return download_->size(); }
  std::unique_ptr<Download> release() { return std::move(download_); }

 private:
  std::unique_ptr<Download> download_;
};

class TypesHost final : public wit::types::Host {
 public:
  explicit TypesHost(const Ground& ground) : bodies_(ground.bodies) {}

  Answer<std::unique_ptr<wit::types::OutgoingValue>> outgoing_value_new_outgoing_value(
      Call& call) override {
    auto upload = std::make_shared<Upload>(call.context().loop(), bodies_);
    return std::unique_ptr<wit::types::OutgoingValue>(
        std::make_unique<DraftOutgoing>(std::move(upload)));
  }
  Answer<Or<void>> outgoing_value_finish(
      Call& call, std::unique_ptr<wit::types::OutgoingValue> value) override {
    auto upload = static_cast<DraftOutgoing&>(*value).release();
    return answer(Upload::finish(std::move(upload), request_of(call)));
  }
  Answer<Or<Bytes>> incoming_value_incoming_value_consume_sync(
      Call& call, std::unique_ptr<wit::types::IncomingValue> value) override {
    auto download = static_cast<DraftIncoming&>(*value).release();
    return answer(Download::all(std::move(download), request_of(call)));
  }
  Answer<Or<InputPipe>> incoming_value_incoming_value_consume_async(
      Call& call, std::unique_ptr<wit::types::IncomingValue> value) override {
    auto download = static_cast<DraftIncoming&>(*value).release();
    return Or<InputPipe>(Download::stream(std::move(download), call.context().loop()));
  }

 private:
  std::shared_ptr<Bodies> bodies_;
};

class DraftNames final : public wit::container::StreamObjectNames {
 public:
  explicit DraftNames(std::shared_ptr<Container> container) : names_(std::move(container)) {}

  using Piece = std::tuple<std::vector<std::string>, bool>;
  Answer<Or<Piece>> read_stream_object_names(Call& call, std::uint64_t count) override {
    return answer<Piece>(names_.read(request_of(call), count), [](ObjectNames::Piece piece) {
      return Piece(std::move(piece.names), piece.end);
    });
  }
  using Skipped = std::tuple<std::uint64_t, bool>;
  Answer<Or<Skipped>> skip_stream_object_names(Call& call, std::uint64_t count) override {
    return answer<Skipped>(names_.skip(request_of(call), count), [](ObjectNames::Skipped skipped) {
      return Skipped(skipped.count, skipped.end);
    });
  }

 private:
  ObjectNames names_;
};

class DraftContainer final : public wit::container::Container {
 public:
  DraftContainer(std::unique_ptr<Objects> container, std::string name,
                 std::shared_ptr<Bodies> bodies)
      : container_(std::move(container)), name_(std::move(name)), bodies_(std::move(bodies)) {}

  Answer<Or<std::string>> name(Call&) override { return Or<std::string>(name_); }

  Answer<Or<wit::types::ContainerMetadata>> info(Call& call) override {
    using Info = wit::types::ContainerMetadata;
    return answer<Info>(container_->info(request_of(call)), [name = name_](ContainerInfo info) {
      return Info{.name = name, .created_at = info.created_at};
    });
  }

  Answer<Or<std::unique_ptr<wit::types::IncomingValue>>> get_data(Call& call, std::string_view name,
                                                                  std::uint64_t start,
                                                                  std::uint64_t end) override {
    using Value = std::unique_ptr<wit::types::IncomingValue>;
    auto place = Bodies::enter(bodies_);
    if (!place) return Or<Value>(std::unexpected(place.error().message()));
    return answer<Value>(container_->read(request_of(call), std::string(name), {start, end}),
                         [place = *std::move(place)](std::unique_ptr<ObjectReader> reader) mutable {
                           return std::make_unique<DraftIncoming>(
                               std::make_unique<Download>(std::move(reader), std::move(place)));
                         });
  }

  Answer<Or<void>> write_data(Call& call, std::string_view name,
                              wit::types::OutgoingValue& data) override {
    const auto& upload = static_cast<DraftOutgoing&>(data).upload();
    return answer(Upload::bind(upload, request_of(call), container_, std::string(name)));
  }

  Answer<Or<std::unique_ptr<wit::container::StreamObjectNames>>> list_objects(Call& call) override {
    using Names = std::unique_ptr<wit::container::StreamObjectNames>;
    // A container that is gone says so now.
    return answer<Names>(container_->info(request_of(call)),
                         [container = container_](ContainerInfo) -> Names {
                           return std::make_unique<DraftNames>(container);
                         });
  }

  Answer<Or<void>> delete_object(Call& call, std::string_view name) override {
    return answer(container_->erase(request_of(call), {std::string(name)}));
  }

  Answer<Or<void>> delete_objects(Call& call, std::vector<std::string_view> names) override {
    std::vector<std::string> owned(names.begin(), names.end());
    return answer(container_->erase(request_of(call), std::move(owned)));
  }

  Answer<Or<bool>> has_object(Call& call, std::string_view name) override {
    return answer<bool>(container_->find(request_of(call), std::string(name)),
                        [](std::optional<ObjectInfo> found) { return found.has_value(); });
  }

  Answer<Or<wit::types::ObjectMetadata>> object_info(Call& call, std::string_view name) override {
    using Info = wit::types::ObjectMetadata;
    return answer<Info>(
        container_->find(request_of(call), std::string(name)),
        [container = name_, name = std::string(name)](std::optional<ObjectInfo> found) -> Or<Info> {
          if (!found) return words<Info>(no_object(container, name));
          return Info{.name = name,
                      .container = container,
                      .created_at = found->created_at,
                      .size = found->size};
        });
  }

  Answer<Or<void>> clear(Call& call) override {
    return answer(container_->clear(request_of(call)));
  }

 private:
  std::shared_ptr<Objects> container_;  // Shared with its lists.
  std::string name_;
  std::shared_ptr<Bodies> bodies_;
};

// Containers: those that the component's grant names, of the app it belongs to.
class BlobstoreHost final : public wit::blobstore::Host {
 public:
  explicit BlobstoreHost(const Ground& ground)
      : store_(ground.store), bodies_(ground.bodies), use_(ground.use) {}

  using Opened = std::unique_ptr<wit::container::Container>;
  Answer<Or<Opened>> create_container(Call& call, std::string_view name) override {
    return answer(create(asked(call, name), bodies_));
  }
  Answer<Or<Opened>> get_container(Call& call, std::string_view name) override {
    return answer(open(asked(call, name), bodies_));
  }
  Answer<Or<void>> delete_container(Call& call, std::string_view name) override {
    return answer(remove(asked(call, name)));
  }
  Answer<Or<bool>> container_exists(Call& call, std::string_view name) override {
    return answer(exists(asked(call, name)));
  }
  Answer<Or<void>> copy_object(Call& call, wit::types::ObjectId src,
                               wit::types::ObjectId dest) override {
    return answer(between(call, std::move(src), std::move(dest), &Store::copy));
  }
  Answer<Or<void>> move_object(Call& call, wit::types::ObjectId src,
                               wit::types::ObjectId dest) override {
    return answer(between(call, std::move(src), std::move(dest), &Store::move));
  }

 private:
  Result<void> check_granted(std::string_view name) const {
    if (use_.allows(name)) return {};
    return failure(
        Errc::kDenied,
        fmt::format("the container {} is not granted: name it in uses.blobstore", shown(name)));
  }

  // What a task works with. It holds the store until it has ended.
  struct Asked {
    Result<void> allowed;
    std::shared_ptr<Store> store;
    Request request;
    ContainerName name;
  };
  Asked asked(Call& call, std::string_view name) const {
    ContainerName at{std::string(call.context().app()), std::string(name)};
    return {check_granted(name), store_, request_of(call), std::move(at)};
  }
  static Task<Opened> create(Asked asked, std::shared_ptr<Bodies> bodies) {
    CO_TRY_VOID(asked.allowed);
    CO_TRY_VOID(co_await asked.store->create(asked.request, asked.name));
    co_return co_await open(std::move(asked), std::move(bodies));
  }
  static Task<Opened> open(Asked asked, std::shared_ptr<Bodies> bodies) {
    CO_TRY_VOID(asked.allowed);
    CO_TRY(auto container, co_await asked.store->open(asked.request, asked.name));
    co_return std::make_unique<DraftContainer>(std::move(container), std::move(asked.name.name),
                                               std::move(bodies));
  }
  static Task<void> remove(Asked asked) {
    CO_TRY_VOID(asked.allowed);
    co_return co_await asked.store->remove(asked.request, asked.name);
  }
  static Task<bool> exists(Asked asked) {
    CO_TRY_VOID(asked.allowed);
    co_return co_await asked.store->exists(asked.request, asked.name);
  }

  using Between = Task<void> (Store::*)(Request, ObjectId, ObjectId);
  Task<void> between(Call& call, wit::types::ObjectId src, wit::types::ObjectId dest,
                     Between work) const {
    Result<void> allowed = check_granted(src.container);
    if (allowed) allowed = check_granted(dest.container);
    std::string app(call.context().app());
    ObjectId from{{app, std::move(src.container)}, std::move(src.object)};
    ObjectId to{{app, std::move(dest.container)}, std::move(dest.object)};
    return both_granted(std::move(allowed), store_, request_of(call), std::move(from),
                        std::move(to), work);
  }
  static Task<void> both_granted(Result<void> allowed, std::shared_ptr<Store> store,
                                 Request request, ObjectId from, ObjectId to, Between work) {
    CO_TRY_VOID(std::move(allowed));
    co_return co_await (*store.*work)(request, std::move(from), std::move(to));
  }

  std::shared_ptr<Store> store_;  // Shared with the calls that wait for it.
  std::shared_ptr<Bodies> bodies_;
  const Use& use_;
};

}  // namespace

std::unique_ptr<Provider> draft_types(const Ground& ground) {
  return std::make_unique<Hosted<TypesHost, wit::types::Binding>>(ground);
}

std::unique_ptr<Provider> draft_container(const Ground&) {
  struct ContainerHost final : wit::container::Host {};
  return std::make_unique<Hosted<ContainerHost, wit::container::Binding>>();
}

std::unique_ptr<Provider> draft_blobstore(const Ground& ground) {
  return std::make_unique<Hosted<BlobstoreHost, wit::blobstore::Binding>>(ground);
}

}  // namespace weft::blobstore
