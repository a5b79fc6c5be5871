// Serves the interface of wit/world.wit.

#include "guest.hpp"

namespace store = weft::wit::test::pair::store;
using store::Entry;
using store::Failure;
using store::exports::Counter;
using store::exports::Parcel;

namespace {

std::uint32_t alive = 0;

class Count final : public Counter {
 public:
  explicit Count(std::uint64_t start) : value(start) { ++alive; }
  ~Count() override { --alive; }

  std::uint64_t get() override { return value; }
  std::uint64_t add(std::uint64_t n) override { return value += n; }
  std::uint64_t merge(std::unique_ptr<Counter> other) override { return value += other->get(); }
  weft::Task<std::expected<std::uint64_t, Failure>> wait(std::uint32_t n) override {
    if (n == 0) co_return std::unexpected(Failure::not_found());
    co_return value + n;
  }
  bool delete_(std::string_view class_) override { return class_ == "all"; }

  std::uint64_t value;
};

weft::Task<> copy_doubled(weft::Stream<std::uint8_t> in, weft::StreamWriter<std::uint8_t> out) {
  for (;;) {
    auto piece = co_await in.read();
    if (piece.empty()) break;
    for (std::uint8_t& each : piece) each *= 2;
    if (!co_await out.write(std::move(piece))) break;
  }
}

weft::Task<> write_lines(std::uint32_t count, weft::StreamWriter<Entry> out) {
  for (std::uint32_t i = 0; i < count; ++i) {
    Entry entry{"line " + std::to_string(i), std::vector<double>(i, 0.5)};
    if (!co_await out.write(std::move(entry))) break;
  }
}

weft::Task<> answer(weft::Future<std::string> text, weft::FutureWriter<std::string> out) {
  co_await out.set(co_await text.get() + ", later");
}

}  // namespace

namespace weft::wit::test::pair::store::exports {

std::unique_ptr<Counter> make_counter(std::uint64_t start) {
  return std::make_unique<Count>(start);
}
std::expected<std::unique_ptr<Counter>, Failure> counter_from_text(std::string_view text) {
  if (text != "seven") return std::unexpected(Failure::other(std::string(text)));
  return std::make_unique<Count>(7);
}
std::uint32_t alive() {
  return ::alive;
}
std::uint32_t pages() {
  return __builtin_wasm_memory_size(0);
}
std::uint64_t sum(std::vector<Counter*> counters, std::optional<Counter*> more) {
  std::uint64_t total = more ? (*more)->get() : 0;
  for (Counter* each : counters) total += each->get();
  return total;
}
std::uint64_t take(std::unique_ptr<Counter> counter, Counter& lent) {
  return counter->get() * lent.get();
}
std::tuple<std::unique_ptr<Counter>, std::unique_ptr<Counter>> split(
    std::unique_ptr<Counter> counter) {
  std::uint64_t half = counter->get() / 2;
  return {std::make_unique<Count>(half), std::make_unique<Count>(half)};
}
Parcel send(Parcel p) {
  p.label += " sent";
  if (!p.spare) p.spare = make_counter(p.counter->get() + 1);
  return p;
}

weft::Task<std::expected<Entry, Failure>> find(std::string key, std::vector<Entry> all,
                                               std::optional<Entry> more) {
  for (Entry& each : all) {
    if (each.key == key) co_return std::move(each);
  }
  if (more && more->key == key) co_return *std::move(more);
  co_return std::unexpected(Failure::not_found());
}
weft::Task<> quiet() {
  co_return;
}
weft::Task<weft::Stream<std::uint8_t>> double_(weft::Stream<std::uint8_t> bytes) {
  auto [reader, writer] = weft::Stream<std::uint8_t>::make();
  copy_doubled(std::move(bytes), std::move(writer)).detach();
  co_return std::move(reader);
}
weft::Task<weft::Stream<Entry>> lines(std::uint32_t count) {
  auto [reader, writer] = weft::Stream<Entry>::make();
  write_lines(count, std::move(writer)).detach();
  co_return std::move(reader);
}
weft::Task<double> total(weft::Stream<Entry> entries) {
  double sum = 0;
  while (auto entry = co_await entries.next()) {
    for (double each : entry->values) sum += each;
  }
  co_return sum;
}
weft::Task<weft::Future<std::string>> later(weft::Future<std::string> text) {
  auto [reader, writer] = weft::Future<std::string>::make();
  answer(std::move(text), std::move(writer)).detach();
  co_return std::move(reader);
}

}  // namespace weft::wit::test::pair::store::exports
