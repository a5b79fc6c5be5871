#include "engine/service_caller.h"

#include <fmt/format.h>

#include <utility>

#include "base/buffer.h"
#include "base/check.h"
#include "door/context.h"
#include "engine/arriving.h"
#include "io/loop.h"
#include "values/relocate.h"

namespace weft {
namespace {

// An instance that has called, as the home knows it.
struct Known final : Context::Attachment {
  Known(std::shared_ptr<SharedService> its_service, std::uint64_t its_number)
      : service(std::move(its_service)), number(its_number) {}
  ~Known() override { service->inbox().put(SharedService::Gone{number}); }

  std::shared_ptr<SharedService>
      service;  // Shared: an instance may outlive the provider's last call.
  std::uint64_t number;
};

// A resource at home, as the caller holds it.
struct Distant final : Resource {
  Distant(std::shared_ptr<SharedService> its_service, std::uint64_t its_caller,
          std::uint32_t its_handle)
      : service(std::move(its_service)), caller(its_caller), handle(its_handle) {}
  ~Distant() override {
    if (service != nullptr) service->inbox().put(SharedService::Drop{caller, handle});
  }

  std::shared_ptr<SharedService> service;  // Shared likewise; null once it was given back.
  std::uint64_t caller;
  std::uint32_t handle;
};

// No pipe gets here: such functions are not linked.
std::unexpected<Error> no_pipes() {
  return failure(Errc::kUnsupported, "a stream cannot go from one loop to another");
}

// Arguments: the caller's numbers become the home's. What is handed over is dropped there when the
// rest of the arguments is wrong.
class ToHome final : public Renumbering {
 public:
  ToHome(Context& context, ResourceKind kind) : context_(context), kind_(kind) {}

  Result<std::uint32_t> own(std::string_view, std::uint32_t number) override {
    TRY(auto taken, context_.resources().take(kind_, number));
    given_.push_back(std::move(taken));
    return static_cast<Distant&>(*given_.back()).handle;
  }
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t number) override {
    TRY(Resource * lent, context_.resources().get(kind_, number));
    return static_cast<Distant&>(*lent).handle;
  }
  Result<std::uint32_t> reader(PipeKind, std::uint32_t) override { return no_pipes(); }
  Result<std::uint32_t> writer(PipeKind, std::uint32_t) override { return no_pipes(); }
  void all_well() {
    for (auto& each : given_) static_cast<Distant&>(*each).service = nullptr;
  }

 private:
  Context& context_;
  ResourceKind kind_;
  std::vector<std::unique_ptr<Resource>> given_;
};

class FromHome final : public Arriving {
 public:
  FromHome(Context* to, const std::shared_ptr<SharedService>& service, std::uint64_t caller)
      : Arriving(to, service.get()), service_(service), caller_(caller) {}

  Result<std::uint32_t> reader(PipeKind, std::uint32_t number) override {
    return keep(no_pipes(), number);
  }
  Result<std::uint32_t> writer(PipeKind, std::uint32_t number) override {
    return keep(no_pipes(), number);
  }

 private:
  std::unique_ptr<Resource> hold(std::uint32_t number) override {
    return std::make_unique<Distant>(service_, caller_, number);
  }

  const std::shared_ptr<SharedService>& service_;
  std::uint64_t caller_;
};

std::optional<std::string> bound_to_its_loop(const Type& type) {
  bool stream = type.kind == Type::Kind::kStream || type.kind == Type::Kind::kFuture;
  bool handle = type.kind == Type::Kind::kOwn || type.kind == Type::Kind::kBorrow;
  if (stream ||
      (handle && (type.names.front() == "input-stream" || type.names.front() == "output-stream"))) {
    return type.text();
  }
  for (const Type& part : type.parts) {
    if (auto found = bound_to_its_loop(part)) return found;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> bound_to_its_loop(const Signature& signature) {
  for (const Signature::Parameter& each : signature.parameters) {
    if (auto found = bound_to_its_loop(each.type)) return found;
  }
  return bound_to_its_loop(signature.result);
}

ServiceCaller::ServiceCaller(std::shared_ptr<SharedService> service, Loop& loop,
                             const std::vector<Function>& functions)
    : service_(std::move(service)), inbox_(std::make_shared<Inbox<SharedService::Outcome>>()) {
  for (const Function& function : functions) {
    if (function.plain) continue;
    if (auto signature = parse_signature(function.signature)) {
      carrying_.emplace(function.ordinal, *std::move(signature));
    }
  }
  inbox_->open(loop, [this](SharedService::Outcome message) { outcome(std::move(message)); });
  service_->join();
}

ServiceCaller::~ServiceCaller() {
  inbox_->close();
  service_->part();
}

void ServiceCaller::begin(Call& call, Completion done) {
  if (!service_->enter()) {
    return std::move(done).fail(Error(
        Errc::kLimit, fmt::format("{} calls are on their way to component {} already: let some end "
                                  "first",
                                  SharedService::kCallsMax, service_->component())));
  }
  std::uint32_t function = call.function().ordinal;
  auto found = carrying_.find(function);
  const Signature* carrying = found == carrying_.end() ? nullptr : &found->second;
  Context& context = call.context();
  std::uint64_t caller = number_of(context);
  auto arguments = arguments_of(call, carrying);
  if (!arguments) {
    service_->leave();
    return std::move(done).fail(std::move(arguments).error());
  }
  std::uint64_t number = service_->next_number();
  bool sent = service_->inbox().put(SharedService::Begin{.caller = caller,
                                                         .call = number,
                                                         .function = function,
                                                         .arguments = *std::move(arguments),
                                                         .deadline = call.deadline(),
                                                         .request_id = context.request_id,
                                                         .trace = context.trace,
                                                         .trace_state = context.trace_state,
                                                         .reply_to = inbox_});
  if (!sent) {
    service_->leave();
    return std::move(done).fail(
        Error(Errc::kUnavailable, fmt::format("component {} has ended", service_->component())));
  }
  Pending& pending =
      pending_.emplace(number, Pending{this, number, caller, carrying, std::move(done)})
          .first->second;
  pending.done.on_cancel(
      [](void* data) {
        auto& given_up = *static_cast<Pending*>(data);
        given_up.self->give_up(given_up);
      },
      &pending);
}

std::uint64_t ServiceCaller::number_of(Context& context) {
  // By the service: one for all interfaces that the instance has of it.
  auto* known = static_cast<Known*>(context.attachment(service_.get()));
  if (known == nullptr) {
    auto made = std::make_unique<Known>(service_, service_->next_number());
    known = made.get();
    context.attach(service_.get(), std::move(made));
  }
  return known->number;
}

Result<Bytes> ServiceCaller::arguments_of(Call& call, const Signature* carrying) {
  BytesView given = call.arguments();
  if (carrying == nullptr) return Bytes(given.begin(), given.end());
  Buffer renumbered;
  ToHome to_home(call.context(), service_.get());
  TRY_VOID(relocate_arguments(*carrying, given, to_home, renumbered));
  to_home.all_well();
  return Bytes(renumbered.view().begin(), renumbered.view().end());
}

void ServiceCaller::outcome(SharedService::Outcome message) {
  auto found = pending_.extract(message.call);
  CHECK(!found.empty());
  Pending& pending = found.mapped();
  if (!message.reply) {
    if (pending.done) std::move(pending.done).fail(std::move(message.reply).error());
    return;
  }
  if (pending.carrying == nullptr) {
    if (!pending.done) return;
    pending.done.reply().append(*message.reply);
    return std::move(pending.done).finish();
  }
  Buffer unread;
  FromHome from_home(pending.done ? &pending.done.call().context() : nullptr, service_,
                     pending.caller);
  Buffer& out = pending.done ? pending.done.reply() : unread;
  auto renumbered =
      from_home.over(relocate_result(*pending.carrying, *message.reply, from_home, out));
  if (!pending.done) return;
  if (!renumbered) return std::move(pending.done).fail(std::move(renumbered).error());
  std::move(pending.done).finish();
}

void ServiceCaller::give_up(Pending& pending) {
  // First of all: the caller may go as its call ends, and says so.
  service_->inbox().put(SharedService::Cancel{pending.call});
  std::move(pending.done).fail(Error(Errc::kCancelled, "the caller has given up"));
}

}  // namespace weft
