#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "door/context.h"
#include "door/resources.h"
#include "provider/streams.h"
#include "values/relocate.h"

namespace weft::provider {

class Session;

// A resource of a provider, while a component has it: drops it there when the component does.
class RemoteResource : public Resource {
 public:
  RemoteResource(std::shared_ptr<Session> session, std::uint64_t incarnation, std::uint32_t handle)
      : session_(std::move(session)), incarnation_(incarnation), handle_(handle) {}
  ~RemoteResource() override;

  std::uint64_t incarnation() const { return incarnation_; }
  std::uint32_t handle() const { return handle_; }
  // It goes back to the provider: nothing is to be dropped any more.
  void hand_back() { session_ = nullptr; }

 private:
  // Shared, because a component may keep the resource longer than its deployment keeps the session.
  std::shared_ptr<Session> session_;
  std::uint64_t incarnation_;
  std::uint32_t handle_;
};

// What a call has handed over, until its reply.
struct Given {
  std::vector<std::uint32_t> streams;
  std::vector<std::uint32_t> handles;
  std::vector<ResourcePin> lent;
  bool empty() const { return streams.empty() && handles.empty() && lent.empty(); }
};

// The numbers of arguments: from a component's to a connection's.
class Outbound : public Renumbering {
 public:
  Outbound(Session& session, Context& context, Given& given)
      : session_(session), context_(context), given_(given) {}

  Result<std::uint32_t> own(std::string_view resource, std::uint32_t number) override;
  Result<std::uint32_t> borrow(std::string_view resource, std::uint32_t number) override;
  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override;
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override;

 private:
  Result<std::uint32_t> give(PipeTable::End end);

  Session& session_;
  Context& context_;
  Given& given_;
};

// The numbers of results: from a connection's to a component's.
class Inbound : public Renumbering {
 public:
  Inbound(Session& session, Context& context) : session_(session), context_(context) {}

  Result<std::uint32_t> own(std::string_view resource, std::uint32_t number) override;
  Result<std::uint32_t> borrow(std::string_view resource, std::uint32_t number) override;
  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override;
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override;

 private:
  Session& session_;
  Context& context_;
};

// The numbers of a result that nobody waits for: everything in it is let go.
class LetGo : public Renumbering {
 public:
  explicit LetGo(Session& session) : session_(session) {}

  Result<std::uint32_t> own(std::string_view resource, std::uint32_t number) override;
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t number) override { return number; }
  Result<std::uint32_t> reader(PipeKind kind, std::uint32_t number) override;
  Result<std::uint32_t> writer(PipeKind kind, std::uint32_t number) override;

 private:
  Session& session_;
};

}  // namespace weft::provider
