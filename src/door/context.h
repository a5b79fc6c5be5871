#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/trace_context.h"
#include "door/pipe.h"
#include "door/resources.h"

namespace weft {

class Loop;

// What the calls of one component instance have in common: where it lives, who it is, what it
// holds.
//
// Owned by the instance, which gives it to `retire` when it ends: calls it cancelled on its way out
// may still be unwinding, and they keep the context until the last of them is over. Used on the
// instance's loop only.
class Context {
 public:
  // `alive`, when it is given, counts the contexts that were made with it and are still there; it
  // outlives them.
  Context(Loop& loop, std::string_view app, std::string_view component,
          std::size_t* alive = nullptr)
      : loop_(loop), app_(app), component_(component), alive_(alive), pipes_(loop) {
    resources_.set_pipes(pipes_);
    if (alive_ != nullptr) ++*alive_;
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Loop& loop() const { return loop_; }
  // Names of the plan the instance was made from, which outlives it.
  std::string_view app() const { return app_; }
  std::string_view component() const { return component_; }
  // Says which request or run the instance works for, in logs and to peers. 0: none yet.
  std::uint64_t request_id = 0;
  // Where that request stands in its trace; not known: it is in none.
  TraceContext trace;
  // What other systems on the trace's way sent along, to be passed on as it is.
  std::string trace_state;

  // What a provider keeps for this instance alone, by the provider: one each, gone with the
  // context.
  class Attachment {
   public:
    virtual ~Attachment() = default;
  };
  Attachment* attachment(const void* provider) const {
    for (const auto& [owner, attachment] : attachments_) {
      if (owner == provider) return attachment.get();
    }
    return nullptr;
  }
  // In the place of the one that is there.
  void attach(const void* provider, std::unique_ptr<Attachment> attachment) {
    for (auto& [owner, there] : attachments_) {
      if (owner == provider) {
        there = std::move(attachment);
        return;
      }
    }
    attachments_.emplace_back(provider, std::move(attachment));
  }

  ResourceTable& resources() { return resources_; }
  PipeTable& pipes() { return pipes_; }

  // The calls in progress, cancelled ones that still unwind included.
  std::uint32_t calls() const { return calls_; }
  // Destroys the context: now, or when the last call of it is over.
  static void retire(std::unique_ptr<Context> context) {
    context->retired_ = true;
    if (context->calls_ != 0) static_cast<void>(context.release());
  }
  ~Context() {
    CHECK(calls_ == 0);
    if (alive_ != nullptr) --*alive_;
  }

 private:
  friend class CallPool;
  void call_ended() {
    if (--calls_ == 0 && retired_) delete this;
  }

  Loop& loop_;
  std::string_view app_;
  std::string_view component_;
  std::size_t* alive_;
  PipeTable pipes_;
  ResourceTable resources_;
  std::vector<std::pair<const void*, std::unique_ptr<Attachment>>> attachments_;
  std::uint32_t calls_ = 0;
  bool retired_ = false;
};

}  // namespace weft
