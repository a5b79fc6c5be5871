#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/loop.h"
#include "io/pool.h"
#include "model/network.h"
#include "provider/residents.h"
#include "provider/state_files.h"
#include "provider/waiting.h"
#include "wit/example/stateful_actor_1_0_0/inference.h"

namespace example {

namespace inference = weft::wit::example::stateful_actor_1_0_0::inference;

// What a component sees of a failure: a value. Everything else fails its call.
template <class T>
using Outcome = std::expected<T, inference::Error>;

// An Outcome of any kind that is an error: what a function that answers with one returns.
struct Refusal {
  inference::Error error;

  template <class T>
  operator Outcome<T>() && {
    return Outcome<T>(std::unexpect, std::move(error));
  }
};
inline Refusal refuse(inference::Error error) {
  return {std::move(error)};
}

// A state that is mapped, and the model that is read in it.
struct Model {
  Mapping mapping;
  Network network;
};
// Shared by the table of residents and those who work with it: it is unmapped with the last.
using ModelPointer = std::shared_ptr<const Model>;

// Serves example:stateful-actor/inference.
//
// On the provider's loop, but for what computes or touches the disk: predictions have a pool of
// their own, files the SDK's, so that no file waits for a prediction.
class Inference final : public inference::Host {
 public:
  struct Options {
    std::uint64_t memory_max = 64 << 20;         // Of the models that are mapped.
    std::size_t threads = 2;                     // Predictions that run at once,
    std::size_t waiting_max = 64;                // and that wait for a thread.
    std::chrono::milliseconds pull_max{10'000};  // Of a pull without a byte of its state.
  };
  static constexpr std::uint32_t kSamplesMax = 100'000;
  static constexpr std::size_t kPullsMax = 64;  // At once, of different states.

  // `loop` and the pool for what touches files outlive it.
  Inference(weft::Loop& loop, weft::Pool& files_pool, Options options, StateFiles files);
  // Ends the predictions that still run.
  ~Inference() override;

  weft::Answer<Outcome<std::optional<std::unique_ptr<inference::Pull>>>> prefetch(
      weft::Call& call, inference::Metadata what) override;
  weft::Answer<Outcome<inference::Prediction>> predict(weft::Call& call, std::string_view sha256,
                                                       inference::Tensor input,
                                                       std::uint32_t samples) override;
  weft::Answer<Outcome<inference::Preempted>> preempt(weft::Call& call,
                                                      std::string_view sha256) override;
  weft::Answer<inference::Figures> status(weft::Call& call) override;

 private:
  class PullOf;

  // A file on its way to being mapped, and all who wait for it.
  struct Loading {
    Outcome<ModelPointer> result;
    Notice over;
  };
  // The duty to bring a state, and all who wait for whoever has it.
  struct Lease {
    weft::Deadline until;
    Notice over;
  };
  struct Job {
    enum class Stop : std::uint8_t { kNo, kGivenUp, kPreempted };

    std::string hash;
    ModelPointer model;  // Until it is over.
    inference::Tensor input;
    std::uint32_t samples;
    std::atomic<Stop> stop = Stop::kNo;
    Outcome<inference::Prediction> result;
    Notice over;

    void run();
  };

  weft::Task<Outcome<ModelPointer>> find_model(std::string hash, weft::Deadline deadline);
  Outcome<std::shared_ptr<Loading>> start_loading(const std::string& hash);
  void end_loading(const std::string& hash, Loading& loading);

  weft::Task<Outcome<std::optional<std::unique_ptr<inference::Pull>>>> find_or_pull(
      inference::Metadata what, weft::Deadline deadline);
  weft::Task<Outcome<void>> fill(const inference::Metadata& what, std::shared_ptr<Lease> lease,
                                 weft::Stream<std::uint8_t> state, weft::Deadline deadline);
  weft::Task<Outcome<StateFiles::Part>> receive(const inference::Metadata& what, Lease& lease,
                                                weft::Stream<std::uint8_t>& state,
                                                weft::Deadline deadline);
  void end_lease(const std::string& hash, const std::shared_ptr<Lease>& lease);

  weft::Task<Outcome<inference::Prediction>> run(std::string hash, inference::Tensor input,
                                                 std::uint32_t samples, weft::Deadline deadline);
  weft::Task<Outcome<inference::Preempted>> stop_all(std::string hash, weft::Deadline deadline);

  weft::Loop& loop_;
  weft::Pool& files_pool_;
  const Options options_;
  const StateFiles files_;
  Residents<Model> residents_;
  std::map<std::string, std::shared_ptr<Loading>, std::less<>> loading_;
  std::map<std::string, std::shared_ptr<Lease>, std::less<>> leases_;
  std::vector<std::shared_ptr<Job>> running_;
  std::uint64_t pulls_ = 0;
  std::uint64_t maps_ = 0;
  std::uint64_t predictions_ = 0;
  // Last: what runs in it uses the rest.
  weft::Pool predictors_;
};

}  // namespace example
