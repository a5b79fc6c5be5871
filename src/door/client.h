#pragma once

// What the generated caller of an interface is made of.

#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/check.h"
#include "door/call.h"
#include "door/values.h"
#include "io/task.h"

namespace weft {

// The arguments of a call while they are written.
class Arguments {
  Buffer bytes_;

 public:
  explicit Arguments(Context& context) : out(bytes_, &context.resources()) {}

  Writer out;

  Result<Buffer> end() && {
    TRY_VOID(out.end());
    return std::move(bytes_);
  }
};

// The caller's side of a call, let go of when it is destroyed: before its arguments, which the
// reply may be in.
class HeldCall {
 public:
  explicit HeldCall(Call* call, Buffer arguments = {})
      : arguments_(std::move(arguments)), call_(call) {}
  HeldCall(HeldCall&& other) noexcept
      : arguments_(std::move(other.arguments_)), call_(std::exchange(other.call_, nullptr)) {}
  HeldCall& operator=(HeldCall&& other) noexcept {
    std::swap(arguments_, other.arguments_);
    std::swap(call_, other.call_);
    return *this;
  }
  ~HeldCall() {
    if (call_ != nullptr) call_->release();
  }

  Call& operator*() const { return *call_; }
  Call* operator->() const { return call_; }

 private:
  Buffer arguments_;
  Call* call_;
};

// Starts a call and waits until it is finished. Fails as the call fails, and with kCancelled, the
// call with it, when the task is asked to stop.
Task<HeldCall> perform(CallPool& pool, Link& link, Context& context, Buffer arguments,
                       Deadline deadline);

// Calls the functions of one interface: generated clients are made of it. Outlives its tasks.
class ClientBase {
 public:
  // `context` is what the calls belong to: its resources are where their handles live.
  ClientBase(CallPool& pool, Context& context, std::vector<Link*> links)
      : pool_(pool), context_(context), links_(std::move(links)) {}

 protected:
  ~ClientBase() = default;

  Context& context() const { return context_; }

  template <class T>
  Task<T> call(std::size_t ordinal, Result<Buffer> arguments, Deadline deadline) {
    CO_TRY(Buffer bytes, std::move(arguments));
    CHECK(ordinal < links_.size() && links_[ordinal] != nullptr);
    CO_TRY(HeldCall held,
           co_await perform(pool_, *links_[ordinal], context_, std::move(bytes), deadline));
    Reader in(held->reply(), &context_.resources());
    if constexpr (std::is_void_v<T>) {
      co_return in.end();
    } else {
      T value = in.read<T>();
      CO_TRY_VOID(in.end());
      co_return value;
    }
  }

 private:
  CallPool& pool_;
  Context& context_;
  std::vector<Link*> links_;
};

}  // namespace weft
