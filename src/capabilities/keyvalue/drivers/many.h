#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "capabilities/answer_tasks.h"
#include "capabilities/keyvalue/bucket.h"
#include "door/answer.h"
#include "io/loop.h"
#include "io/task.h"

namespace weft::keyvalue {

// What is told where the store, or who asked, went before the answer came.
inline Error gone() {
  return {Errc::kCancelled, "nobody waits for it any more"};
}

// Waits until `count` parts of a batch are done, and answers the first failure among them.
class AllDone {
 public:
  explicit AllDone(std::size_t count) : left_(count) {}

  // Before the first part can be done.
  Answer<void> answer() { return promise_.answer(); }
  void done(Result<void> part) {
    if (!part && !error_) error_ = std::move(part).error();
    if (--left_ > 0) return;
    if (error_) return std::move(promise_).fulfil(std::unexpected(*std::move(error_)));
    std::move(promise_).fulfil({});
  }

 private:
  std::size_t left_;
  std::optional<Error> error_;
  Promise<void> promise_;
};

// Reads the values of many keys, some in one request and a bounded number of requests at once, as
// long as the answer stays within its bound. Shared by the reads that are under way.
class ReadMany : public std::enable_shared_from_this<ReadMany> {
 public:
  using Values = std::vector<std::optional<Bytes>>;
  using Done = std::move_only_function<void(Result<Values>)>;
  // Reads `count` keys from number `first` on, and calls back with as many values.
  using Read = std::function<void(std::size_t first, std::size_t count, Done done)>;
  struct Options {
    std::size_t in_one = 1;
    std::size_t at_once = 1;
  };

  ReadMany(std::size_t count, Options options, Read read)
      : options_(options), read_(std::move(read)), values_(count) {}

  // Of at least one.
  Answer<Values> begin() {
    Answer<Values> answer = promise_.answer();
    for (std::size_t i = 0; i < options_.at_once && next_ < values_.size(); ++i) read_next();
    return answer;
  }

 private:
  void read_next() {
    std::size_t first = next_;
    std::size_t count = std::min(options_.in_one, values_.size() - first);
    next_ += count;
    read_(first, count, [self = shared_from_this(), first](Result<Values> values) {
      self->done(first, std::move(values));
    });
  }
  void done(std::size_t first, Result<Values> values) {
    if (over_) return;
    if (values) {
      for (const auto& each : *values) bytes_ += each ? each->size() : 0;
      if (bytes_ > kBatchBytesMax) values = std::unexpected(answer_too_large());
    }
    if (!values) {
      over_ = true;
      return std::move(promise_).fulfil(std::unexpected(std::move(values).error()));
    }
    done_ += values->size();
    std::ranges::move(*values, values_.begin() + static_cast<std::ptrdiff_t>(first));
    if (done_ == values_.size()) {
      over_ = true;
      return std::move(promise_).fulfil(std::move(values_));
    }
    if (next_ < values_.size()) read_next();
  }

  const Options options_;
  const Read read_;
  Values values_;
  std::size_t next_ = 0;
  std::size_t done_ = 0;
  std::size_t bytes_ = 0;
  bool over_ = false;
  Promise<Values> promise_;
};

}  // namespace weft::keyvalue
