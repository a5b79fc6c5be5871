// Uses the interface of wit/world.wit, and says what was not as it should be.

#include "guest.hpp"

namespace store = weft::wit::test::pair::store;
using store::Counter;
using store::Entry;
using store::Failure;

namespace {

std::string wrong;

void expect(bool holds, int line) {
  if (!holds) wrong += "client.cc:" + std::to_string(line) + "\n";
}
#define EXPECT(...) expect(static_cast<bool>(__VA_ARGS__), __LINE__)

void check_resources() {
  {
    Counter three(std::uint64_t{3});
    auto seven = Counter::from_text("seven");
    EXPECT(seven.has_value() && seven->get() == 7);
    EXPECT(Counter::from_text("x").error() == Failure::other("x"));
    EXPECT(store::alive() == 2);
    EXPECT(three.add(1) == 4);
    EXPECT(three.delete_("all") && !three.delete_("none"));
    EXPECT(store::sum({&three, &*seven, &three}, std::nullopt) == 15);
    EXPECT(store::sum({}, &*seven) == 7);
    EXPECT(store::take(std::move(three), *seven) == 28);
    EXPECT(!three && store::alive() == 1);
    auto [left, right] = store::split(*std::move(seven));
    EXPECT(store::alive() == 2);
    EXPECT(left.merge(std::move(right)) == 6);
    EXPECT(store::alive() == 1);
    auto parcel = store::send({"box", std::move(left), std::nullopt});
    EXPECT(parcel.label == "box sent" && parcel.counter.get() == 6 && parcel.spare->get() == 7);
    EXPECT(store::alive() == 2);
  }
  EXPECT(store::alive() == 0);
}

weft::Task<> check_calls() {
  Counter counter(std::uint64_t{5});
  auto waited = co_await counter.wait(2);
  EXPECT(waited == std::expected<std::uint64_t, Failure>(7));
  EXPECT(co_await counter.wait(0) == std::unexpected(Failure::not_found()));
  std::vector<Entry> all = {{"a", {1, 2}}, {"b", {}}, {"c", {0.5}}};
  EXPECT(co_await store::find("c", all, std::nullopt) == all[2]);
  EXPECT(co_await store::find("d", all, Entry{"d", {9}}) == Entry{"d", {9}});
  EXPECT(co_await store::find("e", {}, std::nullopt) == std::unexpected(Failure::not_found()));
  co_await store::quiet();
}

// What is passed and given back is freed on both sides.
weft::Task<> check_memory() {
  const std::string text(100000, 'x');
  const std::vector<Entry> all = {{text, std::vector<double>(1000)}, {"b", {}}};
  std::size_t mine = 0;
  std::size_t theirs = 0;
  for (int i = 0; i < 200; ++i) {
    EXPECT(Counter::from_text(text).error() == Failure::other(text));
    EXPECT(co_await store::find(text, all, std::nullopt) == all[0]);
    if (i != 2) continue;
    mine = __builtin_wasm_memory_size(0);
    theirs = store::pages();
  }
  EXPECT(__builtin_wasm_memory_size(0) == mine && store::pages() == theirs);
}

weft::Task<> write_bytes(weft::StreamWriter<std::uint8_t> out) {
  for (int i = 0; i < 40; ++i) {
    EXPECT(co_await out.write(std::vector<std::uint8_t>(10000, static_cast<std::uint8_t>(i))));
  }
}

weft::Task<> write_entries(weft::StreamWriter<Entry> out) {
  for (int i = 1; i <= 10; ++i) {
    EXPECT(co_await out.write({"entry", {static_cast<double>(i), 0.5}}));
  }
}

weft::Task<> check_streams() {
  auto [bytes, bytes_out] = weft::Stream<std::uint8_t>::make();
  auto doubled = co_await store::double_(std::move(bytes));
  write_bytes(std::move(bytes_out)).detach();
  auto all = co_await doubled.read_all(1 << 20);
  EXPECT(all && all->size() == 400000);
  for (int i = 0; all && i < 40; ++i) EXPECT((*all)[i * 10000 + 9999] == 2 * i);

  auto lines = co_await store::lines(3);
  for (std::size_t i = 0; i < 3; ++i) {
    auto line = co_await lines.next();
    EXPECT(line && *line == Entry{"line " + std::to_string(i), std::vector<double>(i, 0.5)});
  }
  EXPECT(!co_await lines.next());
  EXPECT(!co_await lines.next());
  // Whoever reads no more lets the writer know.
  {
    auto few = co_await store::lines(1000);
    EXPECT(co_await few.next());
  }

  auto [entries, entries_out] = weft::Stream<Entry>::make();
  auto both = co_await weft::when_all(store::total(std::move(entries)),
                                      write_entries(std::move(entries_out)));
  EXPECT(std::get<0>(both) == 60);
}

weft::Task<> set(weft::FutureWriter<std::string> out) {
  EXPECT(co_await out.set("hello"));
}

weft::Task<> check_futures() {
  auto [text, out] = weft::Future<std::string>::make();
  auto later = co_await store::later(std::move(text));
  set(std::move(out)).detach();
  EXPECT(co_await later.get() == "hello, later");
}

}  // namespace

weft::Task<std::string> weft::wit::test::pair::client::exports::check() {
  wrong.clear();
  check_resources();
  co_await check_calls();
  co_await check_memory();
  co_await check_streams();
  co_await check_futures();
  EXPECT(store::alive() == 0);
  co_return wrong.empty() ? "all is well" : wrong;
}
