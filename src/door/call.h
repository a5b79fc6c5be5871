#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/deadline.h"
#include "base/error.h"
#include "door/context.h"

namespace weft {

class Call;
class Completion;
class Link;

// One function of an interface, as the two sides of a link agree on it. Made at link time,
// immutable, outlives every call of it.
struct Function {
  std::string interface;      // "wasi:keyvalue/store@0.2.0-draft"
  std::string name;           // "[method]bucket.get"
  std::string signature;      // canonical text of its type, for checks and for people
  std::uint32_t ordinal = 0;  // the provider's own number for it
  bool plain = true;  // no handle, stream or future in its bytes: they may be passed on as is
};

// Serves the functions of one interface. One object per loop: it needs no lock of its own.
class Provider {
 public:
  virtual ~Provider() = default;

  // Starts `call` and takes over its completion: finishes it before returning, or keeps `done` and
  // finishes it later on the same loop. An exception fails the call and goes no further.
  // `call.arguments()` is borrowed: it holds until begin returns, unless the provider calls
  // keep_arguments; where begin finished the call, until the call's release. The call and its
  // context live as long as `done` does. An outcome given inside begin takes effect when begin
  // returns.
  virtual void begin(Call& call, Completion done) = 0;
};

// Something that sees every call of a link go by: grants, budgets, deadlines, metering, traces.
// `before` runs outermost first, `after` innermost first. One object per loop.
class Layer {
 public:
  enum class Flow : std::uint8_t {
    kOn,        // go on to the next layer, or to the provider
    kAnswered,  // this layer has answered the call itself (Call::answer or Call::refuse)
    kHold,      // this layer calls Call::resume later, on the same loop
  };
  // 16 bytes a layer may keep in the call between before and after.
  union State {
    std::uint64_t words[2];
    void* pointers[2];
  };

  virtual ~Layer() = default;
  virtual Flow before(Call&, State&) { return Flow::kOn; }
  // Runs once for each `before` that returned kOn, also when the caller is gone. kOn passes the
  // outcome outwards. kHold takes the call back: the layer calls Call::retry or Call::resume later.
  // kAnswered is the same as kOn after the layer replaced the outcome.
  virtual Flow after(Call&, State&) { return Flow::kOn; }
};

// A function, what serves it, and the layers around it. Immutable after the link is made; one per
// imported function, per loop.
class Link {
 public:
  static constexpr std::size_t kLayersMax = 8;

  Link(Function function, Provider& provider, const std::vector<Layer*>& layers = {});

  const Function& function() const { return function_; }

 private:
  friend class Call;
  Function function_;
  Provider* provider_;
  std::array<Layer*, kLayersMax> layers_{};
  std::uint8_t layer_count_ = 0;
};

// Who waits for a call that did not finish inline.
class Caller {
 public:
  virtual ~Caller() = default;
  // Called once, on the call's loop, never from inside CallPool::start, and not at all after the
  // caller has released the call. The caller reads the outcome and releases the call, here or
  // later.
  virtual void completed(Call& call) = 0;
};

// One call through the door: a function, its arguments as bytes, and what it belongs to.
//
// Lives in its loop's CallPool. Held by two sides, the caller and whoever works on the call, and
// free again when both have let go: so a completion that comes after a cancel finds a live object
// and is ignored. Used on one loop only.
class Call {
 public:
  enum class State : std::uint8_t { kRunning, kDone, kFailed };

  const Function& function() const { return link_->function(); }
  Context& context() const { return *context_; }
  BytesView arguments() const { return arguments_; }
  Deadline deadline() const { return deadline_; }
  void shorten(Deadline deadline) { deadline_ = earlier(deadline_, deadline); }

  // kRunning until the outermost layer let the outcome go.
  State state() const { return hold_ == Hold::kNone ? state_ : State::kRunning; }
  // The outcome as it stands, for a layer that holds the call on its way back.
  State outcome() const { return state_; }
  BytesView reply() const { return lent_.data() != nullptr ? lent_ : reply_.view(); }
  const Error& error() const { return *error_; }
  // The caller is gone: nobody reads the outcome any more.
  bool cancelled() const { return cancelled_; }

  // Copies the arguments into the call, so that they hold until it is released. Views into the
  // earlier place are not moved. A layer that may retry calls it in `before`.
  void keep_arguments();

  // For layers, inside before or after or while they hold the call: replaces the outcome.
  Buffer& answer();
  void refuse(Error error);
  // For layers that returned kHold: goes on where the call stopped. A layer that held in `before`
  // and has set an outcome sends it outwards.
  void resume();
  // For layers that held in `after`: forgets the outcome and tries again just inside the layer, so
  // that the inner layers see each attempt. The arguments must have been kept.
  void retry();
  // For whoever works on the call: `hook(data)` runs at most once, when the caller gives up before
  // the call is finished. One hook at a time: a new one, and a step of the call, replaces it.
  void on_cancel(void (*hook)(void*), void* data);

  // For the caller: gives up its side. A call that still runs is cancelled.
  void release();
  // For the caller of a call that is still running.
  void set_caller(Caller* caller) {
    CHECK(state() == State::kRunning);
    caller_ = caller;
  }
  // Who was set, or null.
  Caller* caller() const { return caller_; }

 private:
  friend class CallPool;
  friend class CallPin;
  friend class Completion;
  // Where a layer stopped the call: on its way to the provider, or on its way back.
  enum class Hold : std::uint8_t { kNone, kDown, kUp };

  void start();
  void descend();
  void thrown(const char* what);
  bool ascend();
  void settle(State state);
  void finished();
  void clear_reply() {
    lent_ = {};
    reply_.clear();
  }
  void unref() {
    if (--refs_ == 0) free();
  }
  void free();

  Link* link_ = nullptr;
  Context* context_ = nullptr;
  BytesView arguments_;
  Deadline deadline_ = Deadline::never();
  Caller* caller_ = nullptr;
  class CallPool* pool_ = nullptr;
  void (*on_cancel_)(void*) = nullptr;
  void* on_cancel_data_ = nullptr;
  State state_ = State::kRunning;
  Hold hold_ = Hold::kNone;
  std::uint8_t refs_ = 0;
  // On the way down the next layer; on the way back the number of layers still to pass.
  std::uint8_t layer_ = 0;
  bool cancelled_ = false;
  bool starting_ = false;
  bool in_begin_ = false;
  bool kept_ = false;
  Buffer reply_;
  BytesView lent_;  // The reply, when it is somebody else's memory.
  Buffer kept_arguments_;
  std::optional<Error> error_;
  std::array<Layer::State, Link::kLayersMax> layer_states_;
};

// Keeps a call readable for work that may go on after the call is finished. On the call's loop.
class CallPin {
 public:
  explicit CallPin(Call& call) : call_(&call) { ++call.refs_; }
  CallPin(const CallPin&) = delete;
  CallPin& operator=(const CallPin&) = delete;
  ~CallPin() { call_->unref(); }

  Call& operator*() const { return *call_; }
  Call* operator->() const { return call_; }

 private:
  Call* call_;
};

// The duty to finish one call: move-only, on the call's loop. One that is dropped unused fails its
// call with kInternal, so that no caller waits for ever.
class Completion {
 public:
  Completion() = default;
  Completion(Completion&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  Completion& operator=(Completion&& other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~Completion() {
    if (call_ != nullptr) dropped();
  }

  explicit operator bool() const { return call_ != nullptr; }
  Call& call() const { return *call_; }
  // Where the results are written, encoded one after the other.
  Buffer& reply() const { return call_->reply_; }
  // The caller is gone: finishing still works and does nothing.
  bool cancelled() const { return call_->cancelled_; }
  // `hook(data)` runs at most once, when the caller gives up before the call is finished.
  void on_cancel(void (*hook)(void*), void* data) { call_->on_cancel(hook, data); }

  void finish() &&;
  // The same with a reply that is not copied: `reply` holds until the call's release. What is in
  // the call's own arguments does, for a provider that finishes inside begin.
  void finish_lending(BytesView reply) &&;
  void fail(Error error) &&;

 private:
  friend class Call;
  explicit Completion(Call* call) : call_(call) {}
  void dropped();
  Call* call_ = nullptr;
};

// The calls of one loop. Frames and the room of their buffers are used again, so that a small call
// allocates nothing. Outlives every call of it, and whatever may still finish one.
class CallPool {
 public:
  // A frame keeps at most this much room per buffer between calls.
  static constexpr std::size_t kBufferKept = 64 * 1024;
  // Frames kept for use again; more than that many calls at once allocate and free.
  static constexpr std::size_t kFramesKept = 1024;

  CallPool() = default;
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;
  ~CallPool();

  // Calls that somebody still holds.
  std::size_t live() const { return live_; }

  // Runs the layers and the provider. What comes back is finished when the provider finished
  // inline; otherwise the caller sets itself with set_caller. Either way the caller releases it.
  // `arguments` outlive start, and the release of a call that is finished when start returns. Looks
  // at no clock: layers and providers that wait keep the deadline.
  Call* start(Link& link, Context& context, BytesView arguments, Deadline deadline);

 private:
  friend class Call;
  Call* take();
  void free(Call* call);
  std::vector<std::unique_ptr<Call>> free_;
  std::size_t live_ = 0;
};

}  // namespace weft
