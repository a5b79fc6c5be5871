#include "engine/http_calls.h"

#include <list>

#include "engine/fake/guest.h"
#include "io/loop.h"

namespace weft {

namespace {

class FakeHttpCalls;

// One request: its body is read to the end, the guest runs, and its reply and the body go back.
class FakeRequest final : public FakeGuest::Owner, public ExchangeEvents {
 public:
  FakeRequest(FakeHttpCalls& calls, Deployment& deployment, HttpExchange::Ptr exchange)
      : calls_(calls), guest_(deployment, *this), exchange_(std::move(exchange)) {
    exchange_->listen(this);
  }
  ~FakeRequest() override {
    if (exchange_ != nullptr) exchange_->listen(nullptr);
  }

  void on_body_ready() override;
  void on_writable() override { write(); }
  void on_gone() override { retire(); }
  void ended(Result<Bytes> reply) override;

 private:
  static constexpr std::size_t kPiece = 16 * 1024;

  void write();
  void retire();

  FakeHttpCalls& calls_;
  FakeGuest guest_;
  HttpExchange::Ptr exchange_;
  Bytes body_;
  std::size_t written_ = 0;
  bool reading_ = true;
};

class FakeHttpCalls final : public HttpCalls {
 public:
  explicit FakeHttpCalls(Deployment& deployment)
      : deployment_(deployment), sweep_(std::make_shared<Sweep>(this)) {}
  ~FakeHttpCalls() override { sweep_->calls = nullptr; }

  void handle(HttpExchange::Ptr exchange) override {
    exchange->id = deployment_.request_ids.next();
    FakeRequest* request =
        requests_
            .emplace_back(std::make_unique<FakeRequest>(*this, deployment_, std::move(exchange)))
            .get();
    request->on_body_ready();
  }
  std::size_t in_flight() const override { return requests_.size(); }

  // Destroys the request as the turn ends.
  void retire(FakeRequest& request) {
    deployment_.engine.loop().defer([sweep = sweep_, gone = &request] {
      if (sweep->calls == nullptr) return;
      std::erase_if(sweep->calls->requests_, [&](const auto& each) { return each.get() == gone; });
    });
  }

 private:
  // Outlives what is deferred to the end of the turn, in which the calls may go.
  struct Sweep {
    FakeHttpCalls* calls;
  };

  Deployment& deployment_;
  std::shared_ptr<Sweep> sweep_;  // Shared with what is deferred.
  std::list<std::unique_ptr<FakeRequest>> requests_;
};

void FakeRequest::on_body_ready() {
  if (!reading_ || exchange_ == nullptr) return;
  std::uint8_t piece[4096];
  while (std::size_t count = exchange_->read_body(piece)) {
    body_.insert(body_.end(), piece, piece + count);
  }
  if (exchange_->body_state() == BodyState::kMore) return;
  reading_ = false;
  if (exchange_->body_state() == BodyState::kFailed) return retire();
  guest_.start(exchange_->id);
}

void FakeRequest::ended(Result<Bytes> reply) {
  if (exchange_ == nullptr) return;
  if (reply) body_.insert(body_.begin(), reply->begin(), reply->end());
  int status = reply ? 200 : reply.error().code() == Errc::kTimeout ? 504 : 500;
  if (!exchange_->begin_response(status, {}, std::nullopt)) return retire();
  write();
}

void FakeRequest::write() {
  while (written_ < body_.size()) {
    std::size_t size = std::min(kPiece, body_.size() - written_);
    BytesView piece = BytesView(body_).subspan(written_, size);
    written_ += size;
    if (!exchange_->write(piece)) return;
  }
  exchange_->finish();
  retire();
}

void FakeRequest::retire() {
  if (exchange_ == nullptr) return;
  exchange_->listen(nullptr);
  exchange_.reset();
  calls_.retire(*this);
}

}  // namespace

std::unique_ptr<HttpCalls> HttpCalls::make(Deployment& deployment, ProgramKind) {
  return std::make_unique<FakeHttpCalls>(deployment);
}

}  // namespace weft
