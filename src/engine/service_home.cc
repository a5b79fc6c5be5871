#include "engine/service_home.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "io/loop.h"

namespace weft {
namespace {

// What a context and its calls need for as long as they are there.
struct Kept final : Context::Attachment {
  // Shared with the home.
  std::shared_ptr<std::vector<std::unique_ptr<Link>>> links;
  std::string app;
  std::string component;
};

}  // namespace

// One call on behalf of another loop's.
class ServiceHome::Serving final : public Caller {
 public:
  Serving(ServiceHome& home, SharedService::Begin& message)
      : home_(home),
        number_(message.call),
        reply_to_(std::move(message.reply_to)),
        arguments_(std::move(message.arguments)) {}

  void start(Link& link, Context& context, Deadline deadline) {
    call_ = home_.pool_.start(link, context, arguments_, deadline);
    if (call_->state() != Call::State::kRunning) return completed(*call_);
    call_->set_caller(this);
    arguments_ = {};
  }

  // The end of this object.
  void completed(Call& call) override {
    if (call.state() == Call::State::kDone) {
      end(Bytes(call.reply().begin(), call.reply().end()));
    } else {
      end(std::unexpected(call.error()));
    }
  }
  void end(Result<Bytes> outcome) {
    std::unique_ptr<Serving> self = std::move(home_.under_way_.at(number_));
    home_.under_way_.erase(number_);
    call_->release();
    home_.answer(number_, reply_to_, std::move(outcome));
  }

 private:
  ServiceHome& home_;
  const std::uint64_t number_;
  std::shared_ptr<Inbox<SharedService::Outcome>> reply_to_;  // Shared with the caller's side.
  Bytes arguments_;
  Call* call_ = nullptr;
};

ServiceHome::ServiceHome(std::shared_ptr<SharedService> service, Loop& loop, CallPool& calls,
                         Provider& provider, std::vector<Function> functions)
    : service_(std::move(service)),
      loop_(loop),
      pool_(calls),
      links_(std::make_shared<std::vector<std::unique_ptr<Link>>>()) {
  for (Function& function : functions) {
    function.ordinal = static_cast<std::uint32_t>(links_->size());
    links_->push_back(std::make_unique<Link>(std::move(function), provider));
  }
  service_->inbox().open(loop, [this](SharedService::Message message) {
    std::visit([this](auto& each) { handle(std::move(each)); }, message);
  });
}

ServiceHome::~ServiceHome() {
  Error ended(Errc::kUnavailable, fmt::format("component {} has ended", service_->component()));
  for (SharedService::Message& message : service_->inbox().close()) {
    if (auto* begin = std::get_if<SharedService::Begin>(&message)) {
      answer(begin->call, begin->reply_to, std::unexpected(ended));
    }
  }
  while (!under_way_.empty()) under_way_.begin()->second->end(std::unexpected(ended));
  for (auto& [number, context] : callers_) Context::retire(std::move(context));
}

void ServiceHome::handle(SharedService::Begin message) {
  CHECK(message.function < links_->size());
  Context& context = stand_in(message.caller);
  context.request_id = message.request_id;
  context.trace = message.trace;
  context.trace_state = std::move(message.trace_state);
  auto& serving = under_way_[message.call];
  serving = std::make_unique<Serving>(*this, message);
  serving->start(*links_->at(message.function), context, message.deadline);
}

void ServiceHome::handle(const SharedService::Cancel& message) {
  auto found = under_way_.find(message.call);
  if (found == under_way_.end()) return;  // Its outcome is on its way.
  found->second->end(failure(Errc::kCancelled, "the caller has given up"));
}

void ServiceHome::handle(const SharedService::Drop& message) {
  auto found = callers_.find(message.caller);
  if (found != callers_.end()) found->second->resources().drop(message.handle);
}

// Each of its calls had its outcome, or was cancelled before.
void ServiceHome::handle(const SharedService::Gone& message) {
  auto found = callers_.find(message.caller);
  if (found == callers_.end()) return;
  Context::retire(std::move(found->second));
  callers_.erase(found);
}

Context& ServiceHome::stand_in(std::uint64_t caller) {
  auto& context = callers_[caller];
  if (context == nullptr) {
    auto kept = std::make_unique<Kept>();
    kept->app = service_->app();
    kept->component = service_->component();
    kept->links = links_;
    context = std::make_unique<Context>(loop_, kept->app, kept->component);
    context->attach(this, std::move(kept));
  }
  return *context;
}

void ServiceHome::answer(std::uint64_t call,
                         const std::shared_ptr<Inbox<SharedService::Outcome>>& to,
                         Result<Bytes> reply) {
  service_->leave();
  // Who asked may be gone.
  static_cast<void>(to->put({call, std::move(reply)}));
}

}  // namespace weft
