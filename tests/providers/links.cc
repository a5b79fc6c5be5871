// Serves tests/guests/links/wit as the guest links_callee does, as a process of its own. `trap`
// ends the process, `spin` keeps the call and never answers it; calls and alive are the process's.
//
// Configured, it recovers: `unavailable` calls of add fail before the first is answered, `hangs`
// calls of spin are kept, and trap ends the process only while there is no file `dies`, which it
// makes.

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "weft/provider.h"
#include "wit/weft_test/links_1_2_0/ops.h"

namespace weft {
namespace {

namespace ops = wit::weft_test::links_1_2_0::ops;

class Counter final : public ops::Counter {
 public:
  Counter(std::uint32_t start, std::uint32_t& alive) : value(start), alive_(alive) { ++alive_; }
  ~Counter() override { --alive_; }

  Answer<std::uint32_t> next(Call&) override { return value++; }

  std::uint32_t value;

 private:
  std::uint32_t& alive_;
};

class Host final : public ops::Host {
 public:
  explicit Host(const provider::Setup& setup)
      : unavailable_(setup.number("unavailable").value_or(0)),
        hangs_(setup.number("hangs")),
        dies_(setup.text("dies")) {}

  Answer<std::unique_ptr<ops::Counter>> make_counter(Call&, std::uint32_t start) override {
    return std::make_unique<Counter>(start, alive_);
  }
  Answer<std::expected<ops::Point, ops::Problem>> add(Call&, ops::Point a, ops::Point b) override {
    using Sum = std::expected<ops::Point, ops::Problem>;
    if (unavailable_ > 0) {
      --unavailable_;
      return Error(Errc::kUnavailable, "not yet");
    }
    if (a.x + b.x >= 1000) return Sum(std::unexpect, ops::Problem::too_big(a.x + b.x));
    return Sum(ops::Point{.x = a.x + b.x, .y = a.y + b.y, .name = a.name + b.name});
  }
  Answer<std::unique_ptr<ops::Counter>> sum(Call&, std::unique_ptr<ops::Counter> a,
                                            ops::Counter& b) override {
    std::uint32_t start = static_cast<Counter&>(*a).value + static_cast<Counter&>(b).value;
    a.reset();
    return std::make_unique<Counter>(start, alive_);
  }
  Answer<std::uint32_t> calls(Call&) override { return ++calls_; }
  Answer<std::uint32_t> alive(Call&) override { return alive_; }
  Answer<void> trap(Call&) override {
    if (!dies_) std::abort();
    if (::access(dies_->c_str(), F_OK) == 0) return {};
    std::ofstream(*dies_) << "once";
    std::abort();
  }
  Answer<void> spin(Call&) override {
    if (hangs_ && *hangs_ <= 0) return {};
    if (hangs_) --*hangs_;
    kept_.emplace_back();
    return kept_.back().answer();
  }

 private:
  std::uint32_t alive_ = 0;
  std::uint32_t calls_ = 0;
  std::vector<Promise<void>> kept_;
  double unavailable_;
  std::optional<double> hangs_;
  std::optional<std::string> dies_;
};

}  // namespace
}  // namespace weft

int main(int argc, char** argv) {
  return weft::provider::serve(argc, argv, [](weft::provider::Setup& setup) {
    weft::provider::Interfaces served;
    served.add<weft::ops::Binding>(weft::ops::kName, weft::ops::kFunctions,
                                   std::make_unique<weft::Host>(setup));
    return weft::Result<weft::provider::Interfaces>(std::move(served));
  });
}
