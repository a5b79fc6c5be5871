#include "provider/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace example {

using inference::Error;
using weft::Deadline;
using weft::Errc;
using weft::Task;

namespace {

// A line of weft's log.
template <class... T>
void say(fmt::format_string<T...> format, T&&... values) {
  fmt::print("{}\n", fmt::format(format, std::forward<T>(values)...));
  std::fflush(stdout);
}

Outcome<ModelPointer> load(const StateFiles& files, const std::string& hash) {
  auto mapping = files.map(hash);
  if (!mapping) {
    if (mapping.error().code() == Errc::kCorrupt) say("{}", mapping.error().message());
    bool gone =
        mapping.error().code() == Errc::kCorrupt || mapping.error().code() == Errc::kNotFound;
    return refuse(gone ? Error::unknown_state() : Error::disk(mapping.error().message()));
  }
  auto network = Network::view(mapping->bytes());
  if (!network) return refuse(Error::not_a_model(network.error()));
  return std::make_shared<Model>(*std::move(mapping), *network);
}

std::optional<Error> check_input(const inference::Tensor& input, std::uint32_t samples) {
  if (!std::ranges::equal(input.shape, kShape) || input.values.size() != kValues) {
    return Error::bad_input(fmt::format(
        "a tensor of shape {} with {} values: it has to be {} with {}", fmt::join(input.shape, "x"),
        input.values.size(), fmt::join(kShape, "x"), kValues));
  }
  if (!std::ranges::all_of(input.values, [](float each) { return std::isfinite(each); })) {
    return Error::bad_input("a value of the tensor is no number");
  }
  if (samples > Inference::kSamplesMax) {
    return Error::bad_input(fmt::format("{} samples: {} may be", samples, Inference::kSamplesMax));
  }
  return std::nullopt;
}

}  // namespace

Inference::Inference(weft::Loop& loop, weft::Pool& files_pool, Options options, StateFiles files)
    : loop_(loop),
      files_pool_(files_pool),
      options_(options),
      files_(std::move(files)),
      residents_(options.memory_max),
      predictors_({.threads = options.threads, .waiting_max = options.waiting_max}) {}

Inference::~Inference() {
  for (const auto& each : running_) each->stop = Job::Stop::kGivenUp;
}

// --- Models in memory

weft::Task<Outcome<ModelPointer>> Inference::find_model(std::string hash, Deadline deadline) {
  for (;;) {
    if (ModelPointer model = residents_.find(hash)) co_return model;
    std::shared_ptr<Loading> loading;
    if (auto found = loading_.find(hash); found != loading_.end()) {
      loading = found->second;
    } else {
      auto started = start_loading(hash);
      if (!started) co_return refuse(started.error());
      loading = *std::move(started);
    }
    CO_TRY_VOID(co_await loading->over.wait(loop_, deadline));
    if (!loading->result) co_return refuse(loading->result.error());
  }
}

// Goes on when the call that began it is given up: others may wait for it.
Outcome<std::shared_ptr<Inference::Loading>> Inference::start_loading(const std::string& hash) {
  auto bytes = is_hash(hash) ? files_.size(hash) : weft::failure(Errc::kNotFound, "");
  if (!bytes && bytes.error().code() == Errc::kNotFound) {
    return refuse(Error::unknown_state());
  }
  if (!bytes) return refuse(Error::disk(bytes.error().message()));
  switch (residents_.reserve(hash, *bytes)) {
    case Residents<Model>::Room::kMade: break;
    case Residents<Model>::Room::kTaken:
      return refuse(Error::busy("the memory is taken by models at work"));
    case Residents<Model>::Room::kTooLarge: return refuse(Error::too_large(residents_.bytes_max()));
  }
  auto loading = std::make_shared<Loading>();
  auto accepted = files_pool_.submit(
      loop_, [this, loading, hash] { loading->result = load(files_, hash); },
      [this, loading, hash] { end_loading(hash, *loading); });
  if (!accepted) {
    residents_.remove(hash);
    return refuse(Error::busy(accepted.error().message()));
  }
  loading_.emplace(hash, loading);
  return loading;
}

void Inference::end_loading(const std::string& hash, Loading& loading) {
  loading_.erase(hash);
  if (loading.result) {
    residents_.put(hash, std::exchange(*loading.result, nullptr));
    ++maps_;
  } else {
    residents_.remove(hash);
  }
  loading.over.tell();
}

// --- States that are brought

class Inference::PullOf final : public inference::Pull {
 public:
  PullOf(Inference& owner, inference::Metadata what, std::shared_ptr<Lease> lease)
      : owner_(owner), what_(std::move(what)), lease_(std::move(lease)) {}
  ~PullOf() override { owner_.end_lease(what_.sha256, lease_); }

  // The call keeps this object until it is over.
  weft::Answer<Outcome<void>> fill(weft::Call& call, weft::Stream<std::uint8_t> state) override {
    return owner_.fill(what_, lease_, std::move(state), call.deadline());
  }

 private:
  Inference& owner_;
  const inference::Metadata what_;
  const std::shared_ptr<Lease> lease_;  // Shared with the owner's table and those who wait.
};

weft::Answer<Outcome<std::optional<std::unique_ptr<inference::Pull>>>> Inference::prefetch(
    weft::Call& call, inference::Metadata what) {
  if (!is_hash(what.sha256) || what.size == 0) {
    return refuse(Error::bad_input("a state has a size, and 64 small hexadecimal digits"));
  }
  std::uint64_t most = std::min(residents_.bytes_max(), files_.bytes_max());
  if (what.size > most) {
    return refuse(Error::too_large(most));
  }
  return find_or_pull(std::move(what), call.deadline());
}

weft::Task<Outcome<std::optional<std::unique_ptr<inference::Pull>>>> Inference::find_or_pull(
    inference::Metadata what, Deadline deadline) {
  for (;;) {
    CO_TRY(auto model, co_await find_model(what.sha256, deadline));
    if (model) co_return std::nullopt;
    if (!model.error().is<Error::UnknownState>()) co_return refuse(model.error());

    auto found = leases_.find(what.sha256);
    if (found == leases_.end() || found->second->until.passed()) {
      // Of a pull that is over nobody waits for the end any more.
      std::erase_if(leases_, [](const auto& each) { return each.second->until.passed(); });
      if (leases_.size() >= kPullsMax) {
        co_return refuse(Error::busy("too many states are brought at once"));
      }
      auto lease = std::make_shared<Lease>(Deadline::after(options_.pull_max));
      leases_.insert_or_assign(what.sha256, lease);
      co_return std::make_unique<PullOf>(*this, std::move(what), std::move(lease));
    }
    std::shared_ptr<Lease> lease = found->second;
    auto waited = co_await lease->over.wait(loop_, earlier(deadline, lease->until));
    bool late = !waited && waited.error().code() == Errc::kTimeout && !deadline.passed();
    if (!waited && !late) co_return std::unexpected(std::move(waited).error());
  }
}

weft::Task<Outcome<void>> Inference::fill(const inference::Metadata& what,
                                          std::shared_ptr<Lease> lease,
                                          weft::Stream<std::uint8_t> state, Deadline deadline) {
  auto found = leases_.find(what.sha256);
  if (found == leases_.end() || found->second != lease) {
    co_return refuse(Error::bad_input("this pull is over: prefetch again"));
  }
  // However it ends, the duty ends with it, and those who wait look again.
  struct Ending {
    ~Ending() { owner.end_lease(hash, lease); }
    Inference& owner;
    const std::string& hash;
    const std::shared_ptr<Lease>& lease;
  } ending{*this, what.sha256, lease};

  CO_TRY(auto part, co_await receive(what, *lease, state, deadline));
  if (!part) co_return refuse(std::move(part).error());
  auto keep = [this, part = *std::move(part), hash = what.sha256]() mutable {
    return files_.keep(std::move(part), hash);
  };
  lease->until = deadline;
  CO_TRY(auto kept, co_await in_pool(files_pool_, loop_, std::move(keep), deadline));
  if (!kept && kept.error().code() == Errc::kCorrupt) {
    co_return refuse(Error::wrong_state(kept.error().message()));
  }
  if (!kept) co_return refuse(Error::disk(kept.error().message()));
  ++pulls_;
  say("was brought {}: {} bytes, {}", what.name, what.size, what.sha256);
  CO_TRY(auto model, co_await find_model(what.sha256, deadline));
  if (!model) co_return refuse(model.error());
  co_return Outcome<void>();
}

// Reads the state to its end, into a file that has no name yet.
weft::Task<Outcome<StateFiles::Part>> Inference::receive(const inference::Metadata& what,
                                                         Lease& lease,
                                                         weft::Stream<std::uint8_t>& state,
                                                         Deadline deadline) {
  constexpr std::size_t kPiece = 64 << 10;
  auto part = files_.begin();
  if (!part) co_return refuse(Error::disk(part.error().message()));
  std::uint64_t bytes = 0;
  for (;;) {
    lease.until = Deadline::after(options_.pull_max);
    auto piece = co_await state.read(kPiece, earlier(deadline, lease.until));
    if (!piece && (piece.error().code() == Errc::kCancelled || deadline.passed())) {
      co_return std::unexpected(std::move(piece).error());
    }
    if (!piece) {
      co_return refuse(Error::wrong_state(
          fmt::format("it broke off after {} bytes: {}", bytes, piece.error().message())));
    }
    if (piece->empty()) break;
    bytes += piece->size();
    if (bytes > what.size) break;
    if (auto written = part->write(*piece); !written) {
      co_return refuse(Error::disk(written.error().message()));
    }
  }
  if (bytes != what.size) {
    co_return refuse(Error::wrong_state(fmt::format(
        "it has {}{} bytes, and not {}", bytes > what.size ? "at least " : "", bytes, what.size)));
  }
  co_return *std::move(part);
}

void Inference::end_lease(const std::string& hash, const std::shared_ptr<Lease>& lease) {
  auto found = leases_.find(hash);
  if (found == leases_.end() || found->second != lease) return;
  leases_.erase(found);
  lease->over.tell();
}

// --- Predictions

weft::Answer<Outcome<inference::Prediction>> Inference::predict(weft::Call& call,
                                                                std::string_view sha256,
                                                                inference::Tensor input,
                                                                std::uint32_t samples) {
  if (auto wrong = check_input(input, samples)) {
    return refuse(*std::move(wrong));
  }
  return run(std::string(sha256), std::move(input), samples, call.deadline());
}

weft::Task<Outcome<inference::Prediction>> Inference::run(std::string hash, inference::Tensor input,
                                                          std::uint32_t samples,
                                                          Deadline deadline) {
  // Shared by the thread that predicts, the table of what runs, and this coroutine, which goes
  // first when the call is given up.
  auto job = std::make_shared<Job>();
  CO_TRY(auto model, co_await find_model(hash, deadline));
  if (!model) co_return refuse(model.error());
  job->model = *std::exchange(model, nullptr);
  job->hash = std::move(hash);
  job->input = std::move(input);
  job->samples = samples;

  auto accepted = predictors_.submit(
      loop_, [job] { job->run(); },
      [this, job] {
        job->model = nullptr;
        std::erase(running_, job);
        if (job->result) ++predictions_;
        job->over.tell();
      });
  if (!accepted) co_return refuse(Error::busy(accepted.error().message()));
  running_.push_back(job);
  if (auto waited = co_await job->over.wait(loop_, deadline); !waited) {
    job->stop = Job::Stop::kGivenUp;
    co_return std::unexpected(std::move(waited).error());
  }
  co_return std::move(job->result);
}

// On a thread of the pool.
void Inference::Job::run() {
  auto stopped = [this] { return stop.load(std::memory_order_relaxed) != Stop::kNo; };
  result = refuse(Error::preempted());
  if (stopped()) return;
  const Network& network = model->network;
  std::vector<double> scores = network.scores(input.values);
  auto best = static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin());
  inference::Prediction prediction{.label = std::string(network.label(best))};
  std::vector<double> probabilities = Network::probabilities(scores);
  for (std::size_t k = 0; k < probabilities.size(); ++k) {
    prediction.scores.push_back({.label = std::string(network.label(k)),
                                 .probability = static_cast<float>(probabilities[k])});
  }
  if (samples > 0) {
    auto values = network.attribution(input.values, best, samples, stopped);
    if (!values) return;
    prediction.attribution =
        inference::Tensor{.shape = std::move(input.shape), .values = *std::move(values)};
  }
  result = std::move(prediction);
}

weft::Answer<Outcome<inference::Preempted>> Inference::preempt(weft::Call& call,
                                                               std::string_view sha256) {
  return stop_all(std::string(sha256), call.deadline());
}

weft::Task<Outcome<inference::Preempted>> Inference::stop_all(std::string hash, Deadline deadline) {
  std::vector<std::shared_ptr<Job>> stopped;
  for (const auto& each : running_) {
    if (each->hash == hash) stopped.push_back(each);
  }
  for (const auto& each : stopped) each->stop = Job::Stop::kPreempted;
  for (const auto& each : stopped) CO_TRY_VOID(co_await each->over.wait(loop_, deadline));
  inference::Preempted done{.predictions = static_cast<std::uint32_t>(stopped.size()),
                            .bytes = residents_.remove(hash)};
  say("preempted {}: {} predictions stopped, {} bytes let go", hash, done.predictions, done.bytes);
  co_return done;
}

weft::Answer<inference::Figures> Inference::status(weft::Call&) {
  return inference::Figures{.pulls = pulls_,
                            .maps = maps_,
                            .evictions = residents_.evictions(),
                            .predictions = predictions_,
                            .running = static_cast<std::uint32_t>(running_.size()),
                            .memory = residents_.bytes(),
                            .memory_max = residents_.bytes_max(),
                            .resident = residents_.hashes()};
}

}  // namespace example
