#include "node/discovery/beacon_sender.h"

#include <algorithm>
#include <utility>

namespace weft::node::discovery {

BeaconSender::BeaconSender(Options options, Time start)
    : beacon_(std::move(options.beacon)),
      sign_(std::move(options.sign)),
      random_(options.seed),
      start_(start),
      next_(start + chance(kBurstJitter)),
      last_(start - kBeaconEvery),
      sources_(kAnswerRatePerSource, kAskersMax),
      all_(kAnswerRate, start) {
  beacon_.sequence = 0;
  beacon_.leaving = false;
}

std::chrono::microseconds BeaconSender::chance(std::chrono::microseconds most) {
  return std::chrono::microseconds(random_() % static_cast<std::uint64_t>(most.count() + 1));
}

void BeaconSender::sign(const Moment& now) {
  ++beacon_.sequence;
  beacon_.sent = now.unix_ms;
  signed_ = sign_(beacon_);
}

BeaconSender::Time BeaconSender::next() const {
  return waiting_.empty() ? next_ : std::min(next_, waiting_.front().at);
}

std::optional<BytesView> BeaconSender::due(const Moment& now) {
  if (beacon_.leaving || now.steady < next_) return std::nullopt;
  sign(now);
  last_ = now.steady;
  if (burst_left_ > 1) {
    // From the start, not from the last one: the burst is over in its time.
    int sent = kBurstBeacons - --burst_left_;
    next_ = std::max(now.steady, start_ + kBurstEvery * sent) + chance(kBurstJitter);
  } else {
    next_ = now.steady + kBeaconEvery - kBeaconJitter + chance(2 * kBeaconJitter);
  }
  return BytesView(signed_);
}

void BeaconSender::change(const Hash& catalogue, std::string offers, Time now) {
  if (beacon_.leaving) return;
  if (beacon_.catalogue == catalogue && beacon_.offers == offers) return;
  beacon_.catalogue = catalogue;
  beacon_.offers = std::move(offers);
  next_ = std::min(next_, std::max(now, last_ + kChangeGap));
}

BytesView BeaconSender::leave(const Moment& now) {
  beacon_.leaving = true;
  waiting_.clear();
  next_ = Time::max();
  sign(now);
  return signed_;
}

void BeaconSender::asked(std::size_t bytes, const UdpEndpoint& from, Arrival arrival, Time now) {
  if (beacon_.leaving || waiting_.size() >= kAnswersWaitingMax) return;
  if (!sources_.take(from.address, now) || !all_.take(kAnswerRate, now)) return;
  Time at = arrival == Arrival::kGroup ? now + chance(kAnswerSpread) : now;
  auto place = std::ranges::upper_bound(waiting_, at, {}, &Waiting::at);
  waiting_.insert(place, {at, from, bytes});
}

std::optional<BeaconSender::Answer> BeaconSender::answer(const Moment& now) {
  while (!waiting_.empty() && waiting_.front().at <= now.steady) {
    Waiting asked = waiting_.front();
    waiting_.pop_front();
    if (signed_.empty()) sign(now);
    if (signed_.size() <= kAnswerFactorMax * asked.bytes) return Answer{asked.to, signed_};
  }
  return std::nullopt;
}

}  // namespace weft::node::discovery
