#pragma once

// A host of the interface in testdata/everything.wit, for the test and the fuzzer of its bindings.

#include "wit/test/everything_1_2_0_rc_1/everything.h"

namespace weft::testing {

namespace everything = wit::test::everything_1_2_0_rc_1::everything;

class Counter : public everything::Counter {
 public:
  Counter(std::uint64_t start, int& alive) : value(start), alive_(alive) { ++alive_; }
  ~Counter() override { --alive_; }

  Answer<std::uint64_t> get(Call&) override { return value; }
  Answer<std::uint64_t> add(Call&, std::uint64_t n) override { return value += n; }
  Answer<std::uint64_t> merge(Call&, std::unique_ptr<everything::Counter> other) override {
    return value += static_cast<Counter&>(*other).value;
  }
  Answer<std::expected<std::uint64_t, everything::Failure>> wait(Call&, std::uint32_t n) override {
    return waited(n);
  }
  Answer<bool> delete_(Call&, std::string_view class_) override { return class_ == "all"; }

  std::uint64_t value;

 private:
  Task<std::expected<std::uint64_t, everything::Failure>> waited(std::uint32_t n) {
    if (n == 0)
      co_return std::expected<std::uint64_t, everything::Failure>(std::unexpect,
                                                                  everything::Failure::not_found());
    co_return std::expected<std::uint64_t, everything::Failure>(value + n);
  }
  int& alive_;
};

inline Task<std::string> shout(std::string text) {
  co_return text + "!";
}

template <class T>
std::vector<T> owned(const auto& views) {
  return std::vector<T>(views.begin(), views.end());
}

// Answers each call with what came in.
class Host : public everything::Host {
 public:
  explicit Host(int& alive) : alive_(alive) {}

  Answer<everything::Scalars> echo_scalars(Call&, everything::Scalars s) override { return s; }
  Answer<everything::Shape> echo_shape(Call&, everything::Shape s) override { return s; }
  Answer<std::vector<everything::Shape>> echo_shapes(Call&,
                                                     std::vector<everything::Shape> s) override {
    return s;
  }
  Answer<everything::Colour> echo_colour(Call&, everything::Colour c) override { return c; }
  Answer<everything::Permissions> echo_permissions(Call&, everything::Permissions p) override {
    return p;
  }
  Answer<std::tuple<std::string, std::uint64_t, bool>> echo_tuple(
      Call& call, std::tuple<std::string_view, std::uint64_t, bool> t) override {
    return Answer<std::tuple<std::string, std::uint64_t, bool>>::written(call, t);
  }
  Answer<std::optional<std::optional<std::string>>> echo_option(
      Call& call, std::optional<std::optional<std::string_view>> o) override {
    return Answer<std::optional<std::optional<std::string>>>::written(call, o);
  }
  Answer<std::expected<std::string, everything::Failure>> echo_result(
      Call& call, std::expected<std::string_view, everything::Failure> r) override {
    return Answer<std::expected<std::string, everything::Failure>>::written(call, r);
  }
  Answer<std::expected<void, Nothing>> echo_bare_result(Call&,
                                                        std::expected<void, Nothing> r) override {
    return r;
  }
  Answer<Bytes> echo_bytes(Call&, BytesView b) override { return Bytes(b.begin(), b.end()); }
  Answer<std::vector<std::tuple<std::string, Bytes>>> echo_pairs(
      Call& call, std::vector<std::tuple<std::string_view, BytesView>> p) override {
    return Answer<std::vector<std::tuple<std::string, Bytes>>>::written(call, p);
  }
  Answer<std::vector<std::string>> echo_names(Call&, std::vector<std::string_view> n) override {
    return owned<std::string>(n);
  }
  Answer<std::vector<float>> echo_floats(Call&, std::vector<float> f) override { return f; }
  Answer<std::array<std::uint16_t, 3>> echo_fixed(Call&, std::array<std::uint16_t, 3> f) override {
    return f;
  }
  Answer<std::vector<std::tuple<std::string, std::uint32_t>>> echo_map(
      Call& call, std::vector<std::tuple<std::string_view, std::uint32_t>> m) override {
    return Answer<std::vector<std::tuple<std::string, std::uint32_t>>>::written(call, m);
  }
  Answer<void> nothing(Call&) override {
    ++nothings;
    return {};
  }
  Answer<std::uint16_t> static_(Call&, std::uint8_t call_, std::uint8_t deadline_) override {
    return static_cast<std::uint16_t>(call_ * 256 + deadline_);
  }

  Answer<std::unique_ptr<everything::Counter>> make_counter(Call&, std::uint64_t start) override {
    return std::make_unique<Counter>(start, alive_);
  }
  Answer<std::expected<std::unique_ptr<everything::Counter>, everything::Failure>>
  counter_from_text(Call&, std::string_view text) override {
    if (text != "seven") return std::unexpected(everything::Failure::other(std::string(text)));
    return std::make_unique<Counter>(7, alive_);
  }
  Answer<std::uint64_t> sum(Call&, std::vector<everything::Counter*> counters,
                            std::optional<everything::Counter*> more) override {
    std::uint64_t total = more ? static_cast<Counter*>(*more)->value : 0;
    for (everything::Counter* each : counters) total += static_cast<Counter*>(each)->value;
    return total;
  }
  Answer<std::uint64_t> take(Call&, std::unique_ptr<everything::Counter> counter,
                             everything::Counter& lent) override {
    return static_cast<Counter&>(*counter).value * static_cast<Counter&>(lent).value;
  }
  Answer<std::tuple<std::unique_ptr<everything::Counter>, std::unique_ptr<everything::Counter>>>
  split(Call&, std::unique_ptr<everything::Counter> counter) override {
    std::uint64_t half = static_cast<Counter&>(*counter).value / 2;
    return std::tuple<std::unique_ptr<everything::Counter>, std::unique_ptr<everything::Counter>>(
        std::make_unique<Counter>(half, alive_), std::make_unique<Counter>(half, alive_));
  }
  Answer<everything::Parcel> send(Call&, everything::Parcel p) override {
    p.label += " sent";
    return p;
  }
  Answer<std::string> fail(Call&, std::string_view message) override {
    return Error(Errc::kIo, std::string(message));
  }
  Answer<std::string> late(Call&, std::string_view text) override {
    return shout(std::string(text));
  }
  Answer<Stream<std::uint8_t>> pipe(Call& call, Stream<std::uint8_t> in, Future<std::string> done,
                                    Future<> bare) override {
    Loop& loop = call.context().loop();
    auto [out, writer] = Stream<std::uint8_t>::make(loop);
    loop.spawn(copy(std::move(in), std::move(done), std::move(bare), std::move(writer)));
    return std::move(out);
  }
  Answer<std::unique_ptr<everything::Client_>> connect(Call&) override {
    return Error(Errc::kUnsupported, "no client here");
  }

  // What it reads, and after it what the futures say.
  static Task<void> copy(Stream<std::uint8_t> in, Future<std::string> done, Future<> bare,
                         StreamWriter<std::uint8_t> out) {
    Deadline deadline = Deadline::after(std::chrono::seconds(20));
    CO_TRY(Bytes all, co_await in.read_all(1 << 20, deadline));
    CO_TRY_VOID(co_await out.write(std::move(all), deadline));
    CO_TRY(std::string name, co_await done.get(deadline));
    CO_TRY_VOID(co_await bare.get(deadline));
    CO_TRY_VOID(co_await out.write(to_bytes(name), deadline));
    out.finish();
    co_return Result<void>();
  }

  int nothings = 0;

 private:
  int& alive_;
};

}  // namespace weft::testing
