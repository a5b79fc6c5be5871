#include "engine/bridge_host.h"

#include <memory>
#include <utility>

#include "door/call.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft::bridge {

namespace {

// Waits for one call on behalf of a guest's future. Made only when a call does not finish inline;
// owned by the call's caller slot: frees itself when the call completes, or goes with call_release.
class WakingCaller : public Caller {
 public:
  explicit WakingCaller(rust::Box<CallWaker> waker) : waker_(std::move(waker)) {}

  void replace(rust::Box<CallWaker> waker) { waker_ = std::move(waker); }
  void completed(Call&) override {
    waker_->wake();
    delete this;
  }

 private:
  rust::Box<CallWaker> waker_;
};

}  // namespace

void wake_task(const WakeTarget& target, std::uint32_t slot, std::uint32_t generation) {
  // The bridge hands out shared references only; waking is thread-safe by the target's contract.
  const_cast<WakeTarget&>(target).wake(slot, generation);
}

Call* call_begin(GuestHost* host, std::uint32_t function,
                 rust::Slice<const std::uint8_t> arguments) {
  return host->begin(function, arguments);
}

std::uint8_t call_state(const Call* call) {
  return static_cast<std::uint8_t>(call->state());
}

rust::Slice<const std::uint8_t> call_reply(const Call* call) {
  BytesView reply = call->reply();
  return {reply.data(), reply.size()};
}

rust::String call_error(const Call* call) {
  return rust::String::lossy(call->error().message());
}

void call_wait(Call* call, rust::Box<CallWaker> waker) {
  if (auto* caller = static_cast<WakingCaller*>(call->caller())) {
    caller->replace(std::move(waker));
  } else {
    call->set_caller(new WakingCaller(std::move(waker)));
  }
}

void call_release(Call* call) {
  auto* caller = static_cast<WakingCaller*>(call->caller());
  call->release();
  delete caller;
}

void host_drop_resource(GuestHost* host, std::uint32_t slot) {
  host->drop_resource(slot);
}
std::int64_t host_output_room(GuestHost* host, std::uint8_t stream) {
  return host->output_room(stream);
}
rust::String host_output_error(GuestHost* host, std::uint8_t stream) {
  return host->output_error(stream);
}
void host_output_write(GuestHost* host, std::uint8_t stream,
                       rust::Slice<const std::uint8_t> bytes) {
  host->output_write(stream, bytes);
}
void host_output_wait(GuestHost* host, std::uint8_t stream, rust::Box<CallWaker> waker) {
  host->output_wait(stream, std::move(waker));
}
void host_send(GuestHost* host, const OutgoingRequest& request,
               rust::Box<OutgoingTransfer> transfer) {
  host->send(request, std::move(transfer));
}

rust::Slice<const std::uint8_t> exchange_method(const Exchange* exchange) {
  return exchange->method();
}
rust::Slice<const std::uint8_t> exchange_target(const Exchange* exchange) {
  return exchange->target();
}
rust::Slice<const std::uint8_t> exchange_authority(const Exchange* exchange) {
  return exchange->authority();
}
bool exchange_secure(const Exchange* exchange) {
  return exchange->secure();
}
rust::Slice<const std::uint8_t> exchange_headers(const Exchange* exchange) {
  return exchange->headers();
}
bool exchange_has_body(const Exchange* exchange) {
  return exchange->has_body();
}
std::int64_t exchange_read(Exchange* exchange, rust::Slice<std::uint8_t> room) {
  return exchange->read(room);
}
void exchange_wait_body(Exchange* exchange, rust::Box<CallWaker> waker) {
  exchange->wait_body(std::move(waker));
}
rust::Slice<const std::uint8_t> exchange_trailers(Exchange* exchange) {
  return exchange->trailers();
}
void exchange_head(Exchange* exchange, std::uint16_t status,
                   rust::Slice<const std::uint8_t> headers, std::int64_t length) {
  exchange->head(status, headers, length);
}
bool exchange_write(Exchange* exchange, rust::Slice<const std::uint8_t> data) {
  return exchange->write(data);
}
bool exchange_has_room(const Exchange* exchange) {
  return exchange->has_room();
}
void exchange_wait_room(Exchange* exchange, rust::Box<CallWaker> waker) {
  exchange->wait_room(std::move(waker));
}
void exchange_finish(Exchange* exchange, rust::Slice<const std::uint8_t> trailers) {
  exchange->finish(trailers);
}
void exchange_fail(Exchange* exchange, std::uint16_t status) {
  exchange->fail(status);
}

void sink_reply(ReplySink* sink, rust::Slice<const std::uint8_t> reply) {
  sink->reply(reply);
}

}  // namespace weft::bridge
