#include "provider/numbers.h"

#include <fmt/format.h>

#include "provider/session.h"

namespace weft::provider {

RemoteResource::~RemoteResource() {
  if (session_ != nullptr) session_->drop(incarnation_, handle_);
}

namespace {

Result<RemoteResource*> current(Session& session, Resource& resource, std::uint32_t number) {
  auto& remote = static_cast<RemoteResource&>(resource);
  if (remote.incarnation() == session.incarnation()) return &remote;
  return failure(Errc::kUnavailable,
                 fmt::format("handle {} was given by an earlier run of the {}, which has ended",
                             number, session.who()));
}

}  // namespace

// A handle of an earlier run fails before it is taken.
Result<std::uint32_t> Outbound::own(std::string_view, std::uint32_t number) {
  ResourceTable& table = context_.resources();
  TRY(Resource * resource, table.get(session_.kind(), number));
  TRY_VOID(current(session_, *resource, number));
  TRY(std::unique_ptr<Resource> taken, table.take(session_.kind(), number));
  auto& remote = static_cast<RemoteResource&>(*taken);
  remote.hand_back();
  given_.handles.push_back(remote.handle());
  return remote.handle();
}

Result<std::uint32_t> Outbound::borrow(std::string_view, std::uint32_t number) {
  TRY(Resource * resource, context_.resources().get(session_.kind(), number));
  TRY(RemoteResource * remote, current(session_, *resource, number));
  given_.lent.emplace_back(*remote);
  return remote->handle();
}

Result<std::uint32_t> Outbound::reader(PipeKind kind, std::uint32_t number) {
  TRY(PipeReader end, context_.pipes().take_reader(number, kind));
  return give(std::move(end));
}
Result<std::uint32_t> Outbound::writer(PipeKind kind, std::uint32_t number) {
  TRY(PipeWriter end, context_.pipes().take_writer(number, kind));
  return give(std::move(end));
}
Result<std::uint32_t> Outbound::give(PipeTable::End end) {
  TRY(std::uint32_t id, session_.streams().give(std::move(end)));
  given_.streams.push_back(id);
  return id;
}

Result<std::uint32_t> Inbound::own(std::string_view, std::uint32_t number) {
  return context_.resources().push(session_.kind(), session_.wrap(number));
}
Result<std::uint32_t> Inbound::borrow(std::string_view resource, std::uint32_t) {
  return failure(Errc::kInvalid, fmt::format("a borrow<{}> in a result", resource));
}
Result<std::uint32_t> Inbound::reader(PipeKind kind, std::uint32_t number) {
  TRY(PipeReader end, session_.streams().take_reader(number, kind));
  return context_.pipes().push(std::move(end));
}
Result<std::uint32_t> Inbound::writer(PipeKind kind, std::uint32_t number) {
  TRY(PipeWriter end, session_.streams().take_writer(number, kind));
  return context_.pipes().push(std::move(end));
}

Result<std::uint32_t> LetGo::own(std::string_view, std::uint32_t number) {
  session_.drop(session_.incarnation(), number);
  return number;
}
Result<std::uint32_t> LetGo::reader(PipeKind kind, std::uint32_t number) {
  TRY(PipeReader end, session_.streams().take_reader(number, kind));
  return number;
}
Result<std::uint32_t> LetGo::writer(PipeKind kind, std::uint32_t number) {
  TRY(PipeWriter end, session_.streams().take_writer(number, kind));
  return number;
}

}  // namespace weft::provider
