#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "capabilities/capability.h"
#include "door/call.h"
#include "door/values.h"
#include "io/loop.h"

namespace weft {

// Plays a component instance on a loop of its own: calls what a capability serves, bytes in and
// bytes out, as the engine does. A handle is the number it crosses as.
class TestGuest : private Caller {
 public:
  TestGuest(Capability& capability, Use use, std::string app = "app")
      : capability_(capability),
        use_(std::move(use)),
        app_(std::move(app)),
        context_(loop_, app_, "component") {
    CHECK(capability_.prepare(use_).has_value());
  }
  ~TestGuest() override = default;

  // Calls a function of the offer and waits. R is a Codec's type, or void.
  template <class R, class... Arguments>
  Result<R> call(const Offer& offer, std::string_view function, const Arguments&... arguments) {
    Buffer bytes;
    Writer out(bytes);
    (out.write(as_value(arguments)), ...);
    CHECK(out.end().has_value());
    return call_bytes<R>(offer, function, bytes.view());
  }

  template <class R>
  Result<R> call_bytes(const Offer& offer, std::string_view function, BytesView arguments) {
    Call* call = pool_.start(link(offer, function), context_, arguments, Deadline::never());
    if (call->state() == Call::State::kRunning) {
      call->set_caller(this);
      loop_.context().restart();
      loop_.run();
    }
    CHECK(call->state() != Call::State::kRunning);
    Result<R> answer = read<R>(*call);
    call->release();
    return answer;
  }

  // What it imports interfaces as that are called for the first time after this.
  void import_as(std::string name) { import_ = std::move(name); }

  ResourceTable& resources() { return context_.resources(); }
  Loop& loop() { return loop_; }

 private:
  struct Served {
    std::unique_ptr<Provider> provider;
    std::map<std::string, std::unique_ptr<Link>, std::less<>> links;
  };

  template <class T>
  static const T& as_value(const T& value) {
    return value;
  }
  static std::string_view as_value(const char* text) { return text; }

  void completed(Call&) override { loop_.stop(); }

  Link& link(const Offer& offer, std::string_view function) {
    Served& served = served_[&offer];
    if (served.provider == nullptr) {
      served.provider = capability_.provider(offer, {loop_, use_, import_});
    }
    auto& link = served.links[std::string(function)];
    for (std::size_t i = 0; link == nullptr && i < offer.functions.size(); ++i) {
      if (offer.functions[i].name != function) continue;
      link = std::make_unique<Link>(make_function(offer.interface, offer.functions, i),
                                    *served.provider);
    }
    CHECK(link != nullptr);
    return *link;
  }

  template <class R>
  static Result<R> read(Call& call) {
    if (call.state() == Call::State::kFailed) return std::unexpected(call.error());
    Reader in(call.reply());
    if constexpr (std::is_void_v<R>) {
      return in.end();
    } else {
      R value = in.read<R>();
      TRY_VOID(in.end());
      return value;
    }
  }

  Capability& capability_;
  Use use_;
  std::string app_;
  std::string import_;
  Loop loop_;
  CallPool pool_;
  Context context_;
  std::map<const Offer*, Served> served_;
};

// The offer of that interface, the first unless told otherwise.
inline const Offer& offer_of(const Capability& capability, std::string_view interface,
                             std::size_t index = 0) {
  for (const Offer& offer : capability.offers()) {
    if (offer.interface == interface && index-- == 0) return offer;
  }
  CHECK(!"the capability offers it");
  __builtin_unreachable();
}

}  // namespace weft
