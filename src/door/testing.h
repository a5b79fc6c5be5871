#pragma once

// Parts that the tests of the door and of what stands on it share.

#include <memory>
#include <string>
#include <vector>

#include "door/call.h"

namespace weft::testing {

// A loop for contexts whose calls never look at it.
inline Loop& no_loop() {
  alignas(16) static char place[16];
  return reinterpret_cast<Loop&>(place);
}

inline Function function_named(std::string name) {
  return {.interface = "test:door/calls@1.0.0", .name = std::move(name), .signature = "func()"};
}

// Answers each call with its arguments, inline.
class Echo : public Provider {
 public:
  void begin(Call& call, Completion done) override {
    done.reply().append(call.arguments());
    std::move(done).finish();
  }
};

// Keeps each call until the test finishes it.
class Late : public Provider {
 public:
  void begin(Call& call, Completion done) override { waiting.push_back(std::move(done)); }

  // Finishes the oldest call that waits.
  void finish_one(std::string_view reply) {
    Completion done = std::move(waiting.front());
    waiting.erase(waiting.begin());
    done.reply().append(reply);
    std::move(done).finish();
  }

  std::vector<Completion> waiting;
};

// Notes the outcome of a call that did not finish inline, and releases it.
class Notes : public Caller {
 public:
  void completed(Call& call) override {
    ++count;
    if (call.state() == Call::State::kDone) {
      reply = as_text(call.reply());
    } else {
      failure = call.error().code();
    }
    call.release();
  }

  int count = 0;
  std::string reply;
  std::optional<Errc> failure;
};

}  // namespace weft::testing
