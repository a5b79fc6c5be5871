#include "engine/guest_run.h"

#include "engine/fake/guest.h"

namespace weft {

namespace {

class FakeRun final : public GuestRun, private FakeGuest::Owner {
 public:
  FakeRun(Deployment& deployment, Done done) : guest_(deployment, *this), done_(std::move(done)) {
    guest_.start(deployment.request_ids.next());
  }

 private:
  Spent spent() const override { return {}; }
  void has_room() override {}
  // The run may be dropped in `done`.
  void ended(Result<Bytes> reply) override {
    Done done = std::move(done_);
    if (reply) return done({}, *reply);
    auto ending = reply.error().code() == Errc::kTimeout ? RunOutcome::Ending::kLimited
                                                         : RunOutcome::Ending::kTrapped;
    done({ending, 1, reply.error().message(), LimitKind::kTime}, {});
  }

  FakeGuest guest_;
  Done done_;
};

}  // namespace

std::unique_ptr<GuestRun> GuestRun::command(Deployment& deployment, Own, Done done) {
  return std::make_unique<FakeRun>(deployment, std::move(done));
}

std::unique_ptr<GuestRun> GuestRun::call(Deployment& deployment, std::uint32_t, BytesView, Own,
                                         Done done) {
  return std::make_unique<FakeRun>(deployment, std::move(done));
}

// A fake program takes no arguments.
std::unique_ptr<GuestRun> GuestRun::call_with(Deployment& deployment, std::uint32_t,
                                              Exchange exchange, Done done) {
  auto replied = [read = std::move(exchange.replied), done = std::move(done)](
                     RunOutcome outcome, BytesView reply) mutable {
    Reader in(reply);
    if (outcome.well() && read) read(in);
    done(std::move(outcome), {});
  };
  return std::make_unique<FakeRun>(deployment, std::move(replied));
}

}  // namespace weft
