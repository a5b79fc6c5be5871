#pragma once

// What Rust calls in C++: the declarations behind `extern "C++"` in engine/src/bridge.rs. Kept
// light, because cargo compiles it too: nothing of the door or of Asio is included here.

#include <cstdint>
#include <memory>

#include "engine/net_gate.h"
#include "io/wake.h"
#include "rust/cxx.h"

namespace weft {
class Call;
class PipeEnd;
class PipeTable;
class Pumps;
}  // namespace weft

namespace weft::bridge {

struct CallWaker;
struct OutgoingRequest;
struct OutgoingTransfer;
struct SocketQuery;
struct SocketUses;
struct Task;
struct WakeKey;
enum class PipeKind : std::uint8_t;
enum class PipeSide : std::uint8_t;

// One instance's side of the door. The engine face's Instance implements it.
class GuestHost {
 public:
  virtual ~GuestHost() = default;
  virtual Call* begin(std::uint32_t function, rust::Slice<const std::uint8_t> arguments) = 0;
  virtual void drop_resource(std::uint32_t slot) = 0;
  // Standard output (1) and error (2), as bridge.rs says.
  virtual std::int64_t output_room(std::uint8_t stream) = 0;
  virtual rust::String output_error(std::uint8_t stream) = 0;
  virtual void output_write(std::uint8_t stream, rust::Slice<const std::uint8_t> bytes) = 0;
  virtual void output_wait(std::uint8_t stream, rust::Box<CallWaker> waker) = 0;
  // Where the pipes of its streams and futures cross, and what moves wasi:io's.
  virtual PipeTable& pipes() = 0;
  virtual Pumps& pumps() = 0;
  virtual void send(const OutgoingRequest& request, rust::Box<OutgoingTransfer> transfer) = 0;
};

// One HTTP request and its response, as the guest's side of it sees them. Lives until the task or
// worker that holds it is told to detach. Headers are flat: name and value in turn, each after its
// length as four bytes, little endian.
class Exchange {
 public:
  using Bytes = rust::Slice<const std::uint8_t>;

  virtual ~Exchange() = default;
  virtual Bytes method() const = 0;
  virtual Bytes target() const = 0;
  virtual Bytes authority() const = 0;
  virtual bool secure() const = 0;
  virtual Bytes headers() const = 0;
  virtual bool has_body() const = 0;
  virtual std::int64_t read(rust::Slice<std::uint8_t> room) = 0;
  virtual void wait_body(rust::Box<CallWaker> waker) = 0;
  virtual Bytes trailers() = 0;
  virtual void head(std::uint16_t status, Bytes headers, std::int64_t length) = 0;
  virtual bool write(Bytes data) = 0;
  virtual bool has_room() const = 0;
  virtual void wait_room(rust::Box<CallWaker> waker) = 0;
  virtual void finish(Bytes trailers) = 0;
  virtual void fail(std::uint16_t status) = 0;
};

// Takes the reply of an export call: called once at most.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void reply(rust::Slice<const std::uint8_t> bytes) = 0;
};

void wake_task(const WakeTarget& target, std::uint32_t slot, std::uint32_t generation);

Call* call_begin(GuestHost* host, std::uint32_t function,
                 rust::Slice<const std::uint8_t> arguments);
std::uint8_t call_state(const Call* call);
rust::Slice<const std::uint8_t> call_reply(const Call* call);
rust::String call_error(const Call* call);
void call_wait(Call* call, rust::Box<CallWaker> waker);
void call_release(Call* call);
void host_drop_resource(GuestHost* host, std::uint32_t slot);
std::int64_t host_output_room(GuestHost* host, std::uint8_t stream);
rust::String host_output_error(GuestHost* host, std::uint8_t stream);
void host_output_write(GuestHost* host, std::uint8_t stream, rust::Slice<const std::uint8_t> bytes);
void host_output_wait(GuestHost* host, std::uint8_t stream, rust::Box<CallWaker> waker);
void host_send(GuestHost* host, const OutgoingRequest& request,
               rust::Box<OutgoingTransfer> transfer);

SocketUses gate_uses(const std::shared_ptr<NetGate>& gate);
bool gate_check(const std::shared_ptr<NetGate>& gate, const SocketQuery& query,
                rust::Vec<rust::String>& names);
bool gate_check_named(const std::shared_ptr<NetGate>& gate, const SocketQuery& query,
                      rust::Str name);
void gate_refuse(const std::shared_ptr<NetGate>& gate, const SocketQuery& query);
void gate_refuse_sockets(const std::shared_ptr<NetGate>& gate, rust::Str scheme);
bool gate_lookup(const std::shared_ptr<NetGate>& gate, rust::Str name);

PipeEnd* pipe_open(GuestHost* host, PipeKind kind, PipeSide side, std::uint32_t& number,
                   rust::String& problem);
PipeEnd* pipe_take_up(GuestHost* host, std::uint32_t number, PipeKind kind, PipeSide side,
                      rust::String& problem);
void pipe_forget(GuestHost* host, std::uint32_t number);
std::uint8_t pipe_state(const PipeEnd* end);
rust::Slice<const std::uint8_t> pipe_view(const PipeEnd* end);
rust::String pipe_error(const PipeEnd* end);
void pipe_take(PipeEnd* end, std::size_t count);
std::int64_t pipe_room(const PipeEnd* end);
std::size_t pipe_write(PipeEnd* end, rust::Slice<const std::uint8_t> data);
void pipe_fail(PipeEnd* end, rust::Str message);
void pipe_wait(PipeEnd* end, rust::Box<CallWaker> waker);
void pipe_close(PipeEnd* end);
void host_end_pipes(GuestHost* host);
WakeKey host_add_pump(GuestHost* host);
void host_start_pump(GuestHost* host, std::uint32_t slot, rust::Box<Task> task);

rust::Slice<const std::uint8_t> exchange_method(const Exchange* exchange);
rust::Slice<const std::uint8_t> exchange_target(const Exchange* exchange);
rust::Slice<const std::uint8_t> exchange_authority(const Exchange* exchange);
bool exchange_secure(const Exchange* exchange);
rust::Slice<const std::uint8_t> exchange_headers(const Exchange* exchange);
bool exchange_has_body(const Exchange* exchange);
std::int64_t exchange_read(Exchange* exchange, rust::Slice<std::uint8_t> room);
void exchange_wait_body(Exchange* exchange, rust::Box<CallWaker> waker);
rust::Slice<const std::uint8_t> exchange_trailers(Exchange* exchange);
void exchange_head(Exchange* exchange, std::uint16_t status,
                   rust::Slice<const std::uint8_t> headers, std::int64_t length);
bool exchange_write(Exchange* exchange, rust::Slice<const std::uint8_t> data);
bool exchange_has_room(const Exchange* exchange);
void exchange_wait_room(Exchange* exchange, rust::Box<CallWaker> waker);
void exchange_finish(Exchange* exchange, rust::Slice<const std::uint8_t> trailers);
void exchange_fail(Exchange* exchange, std::uint16_t status);

void sink_reply(ReplySink* sink, rust::Slice<const std::uint8_t> reply);

}  // namespace weft::bridge
