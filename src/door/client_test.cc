// Shows how a task calls through a link: inline and late, failed, and stopped while it waits, which
// cancels the call. On a real loop.

#include "door/client.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "door/testing.h"
#include "io/loop.h"

namespace weft {
namespace {

namespace asio = boost::asio;

class Client : public ClientBase {
 public:
  using ClientBase::ClientBase;
  Task<std::string> echo(std::string_view text, Deadline deadline) {
    Arguments arguments(context());
    arguments.out.write(text);
    return call<std::string>(0, std::move(arguments).end(), deadline);
  }
};

class ClientTest : public ::testing::Test {
 protected:
  // Starts a call of `provider`; its outcome will be in outcome_.
  void start(Provider& provider) {
    link_ = std::make_unique<Link>(testing::function_named("echo"), provider);
    client_ = std::make_unique<Client>(pool_, context_, std::vector<Link*>{link_.get()});
    std::string text = "borrowed until echo returns";
    Task<std::string> task = client_->echo(text, Deadline::never());
    text.assign(text.size(), '-');
    asio::co_spawn(loop_.executor(), std::move(task),
                   asio::bind_cancellation_slot(
                       stop_.slot(), [this](std::exception_ptr thrown, Result<std::string> result) {
                         EXPECT_EQ(thrown, nullptr);
                         outcome_ = std::move(result);
                       }));
    poll();
  }
  void poll() {
    loop_.context().restart();
    loop_.context().poll();
  }

  Loop loop_;
  CallPool pool_;
  Context context_{loop_, "shop", "cart"};
  std::unique_ptr<Link> link_;
  std::unique_ptr<Client> client_;
  asio::cancellation_signal stop_;
  std::optional<Result<std::string>> outcome_;
};

TEST_F(ClientTest, InlineAnswersAreRead) {
  testing::Echo echo;
  start(echo);
  ASSERT_TRUE(outcome_);
  EXPECT_EQ(*outcome_, "borrowed until echo returns");
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(ClientTest, LateAnswersResumeTheTask) {
  testing::Late late;
  start(late);
  ASSERT_EQ(late.waiting.size(), 1);
  EXPECT_FALSE(outcome_);
  late.finish_one("\x04late");
  poll();
  ASSERT_TRUE(outcome_);
  EXPECT_EQ(*outcome_, "late");
  EXPECT_EQ(pool_.live(), 0);
}

TEST_F(ClientTest, FailuresAndBadRepliesFailTheTask) {
  testing::Late late;
  start(late);
  std::move(late.waiting[0]).fail(Error(Errc::kUnavailable, "gone"));
  late.waiting.clear();
  poll();
  ASSERT_TRUE(outcome_);
  EXPECT_EQ(outcome_->error().code(), Errc::kUnavailable);
  outcome_.reset();
  start(late);
  late.finish_one("\x05late");
  poll();
  ASSERT_TRUE(outcome_);
  EXPECT_EQ(outcome_->error().code(), Errc::kInvalid);
}

TEST_F(ClientTest, StoppingTheTaskCancelsTheCall) {
  testing::Late late;
  start(late);
  stop_.emit(asio::cancellation_type::terminal);
  EXPECT_FALSE(outcome_);
  poll();
  ASSERT_TRUE(outcome_);
  EXPECT_EQ(outcome_->error().code(), Errc::kCancelled);
  EXPECT_TRUE(late.waiting[0].cancelled());
  late.finish_one("\x04late");
  EXPECT_EQ(pool_.live(), 0);
}

// The answer and the request to stop come in the same turn of the loop: the answer counts.
TEST_F(ClientTest, AnAnswerThatIsThereBeatsTheStop) {
  testing::Late late;
  start(late);
  stop_.emit(asio::cancellation_type::terminal);
  late.finish_one("\x04late");
  poll();
  ASSERT_TRUE(outcome_);
  EXPECT_EQ(*outcome_, "late");
  EXPECT_EQ(pool_.live(), 0);
}

}  // namespace
}  // namespace weft
