#pragma once

// For src/engine's own sources.

#include <optional>

#include "base/buffer.h"
#include "base/deadline.h"
#include "engine/bridge_host.h"
#include "engine/runtime_impl.h"
#include "io/http/exchange.h"

namespace weft {

// One HTTP exchange as a guest serves it: the wire's exchange on one side, the bridge's on the
// other.
//
// Owned by the call. Everything that the guest still does once the exchange is finished or gone
// goes nowhere.
class GuestExchange final : public bridge::Exchange, public ExchangeEvents {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The response's head went out.
    virtual void on_head() = 0;
    // The client went away. Never called from inside a poll of the guest.
    virtual void on_gone() = 0;
  };

  explicit GuestExchange(Owner& owner) : owner_(owner) {}
  ~GuestExchange() override { close(); }

  void open(HttpExchange::Ptr exchange);
  // Lets go of the exchange: one that is not finished is answered or broken off by the wire.
  void close();

  bool is_open() const { return exchange_ != nullptr; }
  bool begun() const { return begun_; }
  bool finished() const { return finished_; }
  // When a part of the response or of the request's body last went through.
  Deadline::Clock::time_point moved_at() const { return moved_at_; }

  // The guest's side.
  Bytes method() const override;
  Bytes target() const override;
  Bytes authority() const override;
  bool secure() const override { return exchange_->secure(); }
  Bytes headers() const override { return {headers_.data(), headers_.size()}; }
  bool has_body() const override;
  std::int64_t read(rust::Slice<std::uint8_t> room) override;
  void wait_body(rust::Box<bridge::CallWaker> waker) override;
  Bytes trailers() override;
  void head(std::uint16_t status, Bytes headers, std::int64_t length) override;
  bool write(Bytes data) override;
  bool has_room() const override;
  void wait_room(rust::Box<bridge::CallWaker> waker) override;
  void finish(Bytes trailers) override;
  // Answers with an error of ours, when no response was begun; breaks it off otherwise.
  void fail(std::uint16_t status) override;

  // The wire's side.
  void on_body_ready() override;
  void on_writable() override;
  void on_gone() override;

 private:
  void moved();

  Owner& owner_;
  HttpExchange::Ptr exchange_;
  Buffer headers_;     // Then the trailers.
  std::string local_;  // In the place of an authority that the client did not send.
  std::optional<rust::Box<bridge::CallWaker>> body_waker_;
  std::optional<rust::Box<bridge::CallWaker>> room_waker_;
  Deadline::Clock::time_point moved_at_;
  bool begun_ = false;
  bool finished_ = false;
};

}  // namespace weft
