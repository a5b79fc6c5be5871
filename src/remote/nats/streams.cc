#include "remote/nats/streams.h"

#include <utility>

#include "io/loop.h"

namespace weft::remote::nats {

Streams::State Streams::ask(const std::string& name, Loop& loop, std::function<void()> told,
                            std::unique_ptr<Making>* making) {
  std::lock_guard lock(mutex_);
  Stream& stream = streams_[name];
  State state = stream.state;
  if (state == State::kUnknown) {
    stream.state = State::kMaking;
    *making = std::make_unique<Making>(shared_from_this(), name);
  } else if (state == State::kMaking) {
    stream.waiting.emplace_back(&loop, std::move(told));
  }
  return state;
}

void Streams::lost(const std::string& name) {
  std::lock_guard lock(mutex_);
  Stream& stream = streams_[name];
  if (stream.state == State::kThere) stream.state = State::kUnknown;
}

void Streams::end(const std::string& name, State state) {
  std::lock_guard lock(mutex_);
  Stream& stream = streams_[name];
  stream.state = state;
  for (auto& [loop, told] : std::exchange(stream.waiting, {})) loop->post(std::move(told));
}

}  // namespace weft::remote::nats
