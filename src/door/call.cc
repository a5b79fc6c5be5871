#include "door/call.h"

#include <exception>

namespace weft {

Link::Link(Function function, Provider& provider, const std::vector<Layer*>& layers)
    : function_(std::move(function)), provider_(&provider) {
  CHECK(layers.size() <= kLayersMax);
  for (Layer* layer : layers) layers_[layer_count_++] = layer;
}

void Call::start() {
  starting_ = true;
  descend();
  starting_ = false;
  // What was borrowed is gone for a call that goes on: nobody reads it by mistake.
  if (state() == State::kRunning && !kept_) arguments_ = {};
}

// Passes the remaining layers and the provider, and the layers again on the way back where the
// provider finished inline. An outcome given inside begin waits until begin has returned, so that
// the arguments still hold and no provider is entered from below itself.
void Call::descend() {
  on_cancel_ = nullptr;
  while (layer_ < link_->layer_count_) {
    Layer::Flow flow = link_->layers_[layer_]->before(*this, layer_states_[layer_]);
    if (flow == Layer::Flow::kOn) {
      ++layer_;
      continue;
    }
    if (flow == Layer::Flow::kHold) {
      if (!kept_) keep_arguments();
      hold_ = Hold::kDown;
      return;
    }
    CHECK(state_ != State::kRunning);
    if (ascend()) finished();
    return;
  }
  in_begin_ = true;
  try {
    link_->provider_->begin(*this, Completion(this));
  } catch (const std::exception& exception) {
    thrown(exception.what());
  } catch (...) {
    thrown("an exception of an unknown type");
  }
  in_begin_ = false;
  if (state_ == State::kRunning) return;
  if (ascend()) finished();
}

// An exception that came through a provider goes no further: the caller may be a guest, on a stack
// that no exception can unwind. The completion, which the exception destroyed on its way, has
// failed the call already, unless the provider kept it.
void Call::thrown(const char* what) {
  if (state_ != State::kFailed) return;
  error_ = Error(Errc::kInternal,
                 function().interface + " " + function().name + ": its provider threw: " + what);
}

// True when the outermost layer is passed; false when one of them holds the call.
bool Call::ascend() {
  on_cancel_ = nullptr;
  while (layer_ > 0) {
    std::uint8_t index = layer_ - 1;
    if (link_->layers_[index]->after(*this, layer_states_[index]) == Layer::Flow::kHold) {
      if (starting_ && !kept_) keep_arguments();
      hold_ = Hold::kUp;
      return false;
    }
    layer_ = index;
  }
  return true;
}

void Call::settle(State state) {
  state_ = state;
  if (in_begin_) return;
  if (ascend()) finished();
}

void Call::finished() {
  if (Caller* caller = std::exchange(caller_, nullptr)) caller->completed(*this);
  unref();
}

void Call::keep_arguments() {
  if (kept_) return;
  kept_arguments_.append(arguments_);
  arguments_ = kept_arguments_.view();
  kept_ = true;
}

Buffer& Call::answer() {
  state_ = State::kDone;
  error_.reset();
  clear_reply();
  return reply_;
}

void Call::refuse(Error error) {
  state_ = State::kFailed;
  clear_reply();
  error_ = std::move(error);
}

void Call::resume() {
  CHECK(hold_ != Hold::kNone);
  Hold hold = std::exchange(hold_, Hold::kNone);
  if (hold == Hold::kUp) {
    --layer_;
    if (ascend()) finished();
    return;
  }
  if (state_ == State::kRunning && !cancelled_) {
    ++layer_;
    descend();
    return;
  }
  if (state_ == State::kRunning) refuse(Error(Errc::kCancelled, "the caller has given up"));
  if (ascend()) finished();
}

void Call::retry() {
  CHECK(hold_ == Hold::kUp && kept_);
  if (cancelled_) return resume();
  hold_ = Hold::kNone;
  state_ = State::kRunning;
  error_.reset();
  clear_reply();
  descend();
}

void Call::on_cancel(void (*hook)(void*), void* data) {
  on_cancel_ = hook;
  on_cancel_data_ = data;
}

void Call::release() {
  caller_ = nullptr;
  if (state() == State::kRunning) {
    cancelled_ = true;
    if (auto* hook = std::exchange(on_cancel_, nullptr)) hook(on_cancel_data_);
  }
  unref();
}

void Call::free() {
  pool_->free(this);
}

void Completion::finish() && {
  Call* call = std::exchange(call_, nullptr);
  call->settle(Call::State::kDone);
}

void Completion::finish_lending(BytesView reply) && {
  Call* call = std::exchange(call_, nullptr);
  call->reply_.clear();
  call->lent_ = reply;
  call->settle(Call::State::kDone);
}

void Completion::fail(Error error) && {
  Call* call = std::exchange(call_, nullptr);
  call->clear_reply();
  call->error_ = std::move(error);
  call->settle(Call::State::kFailed);
}

void Completion::dropped() {
  std::move(*this).fail(Error(Errc::kInternal, call_->function().interface + " " +
                                                   call_->function().name +
                                                   ": its provider dropped the call"));
}

CallPool::~CallPool() {
  CHECK(live_ == 0);
}

Call* CallPool::start(Link& link, Context& context, BytesView arguments, Deadline deadline) {
  Call* call = take();
  call->link_ = &link;
  call->context_ = &context;
  call->arguments_ = arguments;
  call->deadline_ = deadline;
  ++context.calls_;
  call->start();
  return call;
}

Call* CallPool::take() {
  ++live_;
  Call* call = nullptr;
  if (free_.empty()) {
    call = new Call();
    call->pool_ = this;
  } else {
    call = free_.back().release();
    free_.pop_back();
  }
  call->refs_ = 2;
  return call;
}

void CallPool::free(Call* call) {
  --live_;
  Context* context = call->context_;
  if (free_.size() >= kFramesKept) {
    delete call;
  } else {
    call->caller_ = nullptr;
    call->on_cancel_ = nullptr;
    call->arguments_ = {};
    call->state_ = Call::State::kRunning;
    call->layer_ = 0;
    call->cancelled_ = false;
    call->kept_ = false;
    call->lent_ = {};
    call->reply_.shrink(kBufferKept);
    call->kept_arguments_.shrink(kBufferKept);
    call->error_.reset();
    free_.emplace_back(call);
  }
  context->call_ended();
}

}  // namespace weft
