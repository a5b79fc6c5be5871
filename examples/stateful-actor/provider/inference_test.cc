#include "provider/inference.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/sha256.h"
#include "io/test_task.h"
#include "model/test_model.h"

namespace example {
namespace {

namespace fs = std::filesystem;
using inference::Error;
using testing::HasSubstr;
using weft::Bytes;
using weft::Deadline;
using weft::Errc;
using weft::Task;
using PullHandle = weft::Handle<inference::Pull>;
using Prefetched = Outcome<std::optional<PullHandle>>;
using Bytestream = weft::Stream<std::uint8_t>;

// The host behind its binding, on the test's own loop.
class InferenceTest : public testing::Test {
 protected:
  explicit InferenceTest(Inference::Options options = {}) {
    std::string name = fs::temp_directory_path() / "weft-inference-XXXXXX";
    folder_ = mkdtemp(name.data());
    host_.emplace(loop_, files_pool_, options, *StateFiles::open(folder_, 1 << 20));
    binding_.emplace(*host_);
    std::vector<weft::Link*> links;
    for (std::size_t i = 0; i < inference::kFunctions.size(); ++i) {
      links_.push_back(std::make_unique<weft::Link>(
          weft::make_function(inference::kName, inference::kFunctions, i), *binding_));
      links.push_back(links_.back().get());
    }
    client_.emplace(calls_, context_, links);
  }
  ~InferenceTest() override {
    // Calls that were given up unwind first.
    EXPECT_TRUE(until([this] { return calls_.live() == 0; }));
    fs::remove_all(folder_);
  }

  template <class Check>
  bool until(Check check) {
    Deadline patience = Deadline::after(std::chrono::seconds(20));
    while (!check() && !patience.passed()) {
      loop_.context().restart();
      loop_.context().run_one_for(std::chrono::milliseconds(20));
    }
    return check();
  }
  // Runs a task to its end.
  template <class T>
  weft::Result<T> run(Task<T> task) {
    return weft::testing::run_task(loop_, std::move(task));
  }
  Prefetched prefetch(const inference::Metadata& what) {
    auto outcome = run(client_->prefetch(what, Deadline::never()));
    if (!outcome) throw std::runtime_error(outcome.error().message());
    return *std::move(outcome);
  }
  // The same beside what the test does.
  void prefetch_beside(inference::Metadata what, std::optional<Prefetched>& out) {
    auto task = [](inference::Client& client, inference::Metadata what,
                   std::optional<Prefetched>* out) -> Task<void> {
      CO_TRY(*out, co_await client.prefetch(std::move(what), Deadline::never()));
      co_return weft::Result<void>();
    };
    loop_.spawn(task(*client_, std::move(what), &out));
  }
  // Fills a pull with bytes; `end` says how the stream ends.
  template <class End>
  weft::Result<Outcome<void>> fill(const PullHandle& pull, Bytes bytes, End end,
                                   Deadline deadline = Deadline::never()) {
    auto [reader, writer] = Bytestream::make(loop_);
    auto write = [](weft::StreamWriter<std::uint8_t> to, Bytes all, End end) -> Task<void> {
      CO_TRY_VOID(co_await to.write(std::move(all), Deadline::never()));
      end(to);
      co_return weft::Result<void>();
    };
    loop_.spawn(write(std::move(writer), std::move(bytes), std::move(end)));
    return run(client_->pull_fill(pull, std::move(reader), deadline));
  }
  static void finish(weft::StreamWriter<std::uint8_t>& to) { to.finish(); }

  inference::Figures figures() { return *run(client_->status(Deadline::never())); }

  const Bytes state_ = some_model();
  const inference::Metadata what_{
      .name = "some", .size = state_.size(), .sha256 = weft::sha256_hex(state_)};
  std::string folder_;
  weft::Loop loop_;
  weft::CallPool calls_;
  weft::Pool files_pool_{{.threads = 2}};
  std::optional<Inference> host_;
  std::optional<inference::Binding> binding_;
  weft::Context context_{loop_, "app", "component"};
  std::vector<std::unique_ptr<weft::Link>> links_;
  std::optional<inference::Client> client_;
};

class Hasty : public InferenceTest {
 protected:
  Hasty() : InferenceTest({.pull_max = std::chrono::milliseconds(1'500)}) {}
};

// Who asks while another brings the state waits, and finds it there.
TEST_F(InferenceTest, OneBringsItAndTheOthersWait) {
  Prefetched first = prefetch(what_);
  ASSERT_TRUE(first && *first);
  std::optional<Prefetched> second;
  prefetch_beside(what_, second);
  auto filled = fill(**first, state_, finish);
  ASSERT_TRUE(filled && *filled);
  ASSERT_TRUE(until([&] { return second.has_value(); }));
  ASSERT_TRUE(*second);
  EXPECT_FALSE(**second);
  EXPECT_EQ(figures().pulls, 1U);
  EXPECT_EQ(figures().maps, 1U);
  EXPECT_EQ(figures().memory, state_.size());

  inference::Tensor input{.shape = {1, 3, 224, 224}, .values = std::vector<float>(kValues)};
  auto prediction = run(client_->predict(what_.sha256, input, 0, Deadline::never()));
  ASSERT_TRUE(prediction && *prediction);
  EXPECT_EQ((*prediction)->scores.size(), 2U);
}

// The duty goes on when it is dropped.
TEST_F(InferenceTest, ADroppedPullGoesToTheNext) {
  Prefetched first = prefetch(what_);
  ASSERT_TRUE(first && *first);
  std::optional<Prefetched> second;
  prefetch_beside(what_, second);
  figures();
  EXPECT_FALSE(second);
  first = std::nullopt;
  ASSERT_TRUE(until([&] { return second.has_value(); }));
  ASSERT_TRUE(*second && **second);
  auto filled = fill(***second, state_, finish);
  EXPECT_TRUE(filled && *filled);
}

// It goes on, too, when nothing comes of it in its time; it is no good any more then.
TEST_F(Hasty, ALatePullGoesToTheNext) {
  Prefetched first = prefetch(what_);
  ASSERT_TRUE(first && *first);
  Prefetched second = prefetch(what_);
  ASSERT_TRUE(second && *second);
  auto late = fill(**first, state_, finish);
  ASSERT_TRUE(late);
  ASSERT_FALSE(*late);
  EXPECT_TRUE(late->error().is<Error::BadInput>());
  auto filled = fill(**second, state_, finish);
  EXPECT_TRUE(filled && *filled);
}

// A stream that stops for too long, breaks off or ends early is a value of the caller's, and
// nothing is kept.
TEST_F(Hasty, HalfAStateIsNotKept) {
  const Bytes half(state_.begin(), state_.begin() + 100);
  for (const char* how : {"it has 100 bytes", "it broke off after 100 bytes"}) {
    Prefetched pull = prefetch(what_);
    ASSERT_TRUE(pull && *pull);
    auto filled = fill(**pull, half, [how](weft::StreamWriter<std::uint8_t>& to) {
      if (std::string_view(how).starts_with("it has")) return to.finish();
      to.fail(weft::Error(Errc::kIo, "the writer broke"));
    });
    ASSERT_TRUE(filled) << filled.error().message();
    ASSERT_FALSE(*filled);
    ASSERT_TRUE(filled->error().is<Error::WrongState>());
    EXPECT_THAT(filled->error().as<Error::WrongState>()->value, HasSubstr(how));
    EXPECT_TRUE(fs::is_empty(folder_));
  }
  Prefetched pull = prefetch(what_);
  ASSERT_TRUE(pull && *pull);
  std::optional<weft::StreamWriter<std::uint8_t>> held;
  auto filled = fill(**pull, half,
                     [&](weft::StreamWriter<std::uint8_t>& to) { held.emplace(std::move(to)); });
  ASSERT_TRUE(filled && !*filled);
  EXPECT_TRUE(filled->error().is<Error::WrongState>());
  EXPECT_TRUE(fs::is_empty(folder_));
}

// A fill whose call is given up ends its duty at once.
TEST_F(InferenceTest, AFillThatIsGivenUpEndsItsPull) {
  Prefetched pull = prefetch(what_);
  ASSERT_TRUE(pull && *pull);
  std::optional<weft::StreamWriter<std::uint8_t>> held;
  auto filled = fill(
      **pull, Bytes(10), [&](weft::StreamWriter<std::uint8_t>& to) { held.emplace(std::move(to)); },
      Deadline::after(std::chrono::milliseconds(50)));
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().code(), Errc::kTimeout);
  Prefetched next = prefetch(what_);
  ASSERT_TRUE(next && *next);
  EXPECT_TRUE(fs::is_empty(folder_));
}

// What has its hash and is no model is kept, and refused each time.
TEST_F(InferenceTest, NoModel) {
  const Bytes state(1000, 'x');
  const inference::Metadata what{.name = "x", .size = 1000, .sha256 = weft::sha256_hex(state)};
  Prefetched pull = prefetch(what);
  ASSERT_TRUE(pull && *pull);
  auto filled = fill(**pull, state, finish);
  ASSERT_TRUE(filled && !*filled);
  EXPECT_TRUE(filled->error().is<Error::NotAModel>());
  Prefetched again = prefetch(what);
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is<Error::NotAModel>());
  EXPECT_EQ(figures().memory, 0U);
}

// What is no hash is unknown, and never a path.
TEST_F(InferenceTest, NoHash) {
  inference::Tensor input{.shape = {1, 3, 224, 224}, .values = std::vector<float>(kValues)};
  auto prediction = run(client_->predict("../../etc/passwd", input, 0, Deadline::never()));
  ASSERT_TRUE(prediction && !*prediction);
  EXPECT_TRUE(prediction->error().is<Error::UnknownState>());
  Prefetched pull = prefetch({.name = "x", .size = 5, .sha256 = "../../etc/passwd"});
  ASSERT_FALSE(pull);
  EXPECT_TRUE(pull.error().is<Error::BadInput>());
}

}  // namespace
}  // namespace example
