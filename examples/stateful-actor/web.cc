// The web's side of one actor: asks the provider to work on the actor's state, and brings the state
// where the provider has not got it.
//
//   POST /NAME/predict             602,112 bytes: label and scores, as JSON
//   POST /NAME/explain?samples=1   the same: 602,112 bytes, what each value did for the label
//   POST /NAME/prefetch            makes the next prediction a quick one
//   POST /NAME/preempt             stops what runs on this model and lets its memory go
//   GET  /NAME                     the actor's metadata
//   GET  /status                   what the provider is doing

#include <cstring>

#include "guest.hpp"
#include "weft/http.h"

namespace actor = weft::wit::example::stateful_actor_1_0_0::actor;
namespace inference = weft::wit::example::stateful_actor_1_0_0::inference;

using inference::Error;
using weft::Task;
using weft::http::reply;

namespace {

constexpr std::size_t kInputBytes = 1 * 3 * 224 * 224 * sizeof(float);

// Asked once an instance: it never changes.
const actor::Metadata& metadata() {
  static const actor::Metadata known = actor::get_metadata();
  return known;
}

Task<> write_all(weft::StreamWriter<std::uint8_t> writer, std::vector<std::uint8_t> bytes) {
  co_await writer.write(std::move(bytes));
}

// Only where the provider says that nobody has brought the state is the actor asked for it.
Task<std::expected<void, Error>> prefetch() {
  auto pull = co_await inference::prefetch(metadata());
  if (!pull) co_return std::unexpected(pull.error());
  if (!*pull) co_return std::expected<void, Error>();
  auto state = actor::get_data();
  if (!state) co_return std::unexpected(Error::wrong_state("the actor has none to give"));
  auto [reader, writer] = weft::Stream<std::uint8_t>::make();
  write_all(std::move(writer), *std::move(state)).detach();
  co_return co_await (*pull)->fill(std::move(reader));
}

// One call where the state is there already, as it is nearly always.
Task<std::expected<inference::Prediction, Error>> predict(inference::Tensor input,
                                                          std::uint32_t samples) {
  auto prediction = co_await inference::predict(metadata().sha256, input, samples);
  if (prediction || !prediction.error().is<Error::UnknownState>()) co_return prediction;
  auto there = co_await prefetch();
  if (!there) co_return std::unexpected(there.error());
  co_return co_await inference::predict(metadata().sha256, std::move(input), samples);
}

Task<> reply_error(const Error& error) {
  auto [status, text] = error.match(
      [](const Error::UnknownState&) {
        return std::pair<std::uint16_t, std::string>(503, "its state was removed: try again");
      },
      [](const Error::WrongState& e) {
        return std::pair<std::uint16_t, std::string>(502, "the actor's state is wrong: " + e.value);
      },
      [](const Error::NotAModel& e) {
        return std::pair<std::uint16_t, std::string>(502, "the state is no model: " + e.value);
      },
      [](const Error::TooLarge& e) {
        return std::pair<std::uint16_t, std::string>(
            507, "the state is larger than " + std::to_string(e.value) + " bytes");
      },
      [](const Error::Busy& e) { return std::pair<std::uint16_t, std::string>(503, e.value); },
      [](const Error::BadInput& e) { return std::pair<std::uint16_t, std::string>(400, e.value); },
      [](const Error::Preempted&) {
        return std::pair<std::uint16_t, std::string>(409, "preempted");
      },
      [](const Error::Disk& e) { return std::pair<std::uint16_t, std::string>(500, e.value); });
  co_await reply(status, text + "\n");
}

std::string json_of(const inference::Prediction& prediction) {
  std::string scores;
  for (const inference::Score& each : prediction.scores) {
    if (!scores.empty()) scores += ", ";
    scores += '"' + each.label + "\": " + std::to_string(each.probability);
  }
  return "{\"label\": \"" + prediction.label + "\", \"scores\": {" + scores + "}}\n";
}

std::string json_of(const inference::Figures& figures) {
  std::string resident;
  for (const std::string& each : figures.resident) {
    if (!resident.empty()) resident += ", ";
    resident += '"' + each + '"';
  }
  auto field = [](const char* name, std::uint64_t value) {
    return '"' + std::string(name) + "\": " + std::to_string(value) + ", ";
  };
  return "{" + field("pulls", figures.pulls) + field("maps", figures.maps) +
         field("evictions", figures.evictions) + field("predictions", figures.predictions) +
         field("running", figures.running) + field("memory", figures.memory) +
         field("memory-max", figures.memory_max) + "\"resident\": [" + resident + "]}\n";
}

// Predicts for the request's body. `samples` is 0 where only the label is wanted.
Task<> serve(weft::http::Request request, std::uint32_t samples) {
  auto body = co_await std::move(request).body().read_all(kInputBytes);
  if (!body && body.error().code == weft::Code::kTooLong) {
    co_return co_await reply(413, "a tensor of 1x3x224x224 floats has 602112 bytes\n");
  }
  if (!body) co_return;
  if (body->size() != kInputBytes) {
    co_return co_await reply(400, "a tensor of 1x3x224x224 floats has 602112 bytes, and not " +
                                      std::to_string(body->size()) + "\n");
  }
  inference::Tensor input{.shape = {1, 3, 224, 224},
                          .values = std::vector<float>(kInputBytes / sizeof(float))};
  std::memcpy(input.values.data(), body->data(), kInputBytes);

  auto prediction = co_await predict(std::move(input), samples);
  if (!prediction) co_return co_await reply_error(prediction.error());
  if (!prediction->attribution) {
    co_return co_await reply(200, json_of(*prediction), "application/json");
  }
  const std::vector<float>& values = prediction->attribution->values;
  weft::http::Response response(
      200, {{"content-type", "application/octet-stream"}, {"x-label", prediction->label}});
  co_await response.write(reinterpret_cast<const std::uint8_t*>(values.data()),
                          values.size() * sizeof(float));
  co_await response.finish();
}

}  // namespace

Task<> weft::http::handle(Request request) {
  std::string method = request.method();
  std::string path = request.path();
  std::string what = path.substr(path.rfind('/') + 1);
  bool post = method == "POST";

  if (post && what == "predict") co_return co_await serve(std::move(request), 0);
  if (post && what == "explain") {
    std::string samples = request.parameter("samples").value_or("1");
    auto count = static_cast<std::uint32_t>(std::strtoul(samples.c_str(), nullptr, 10));
    if (count == 0) co_return co_await reply(400, "samples are 1 or more\n");
    co_return co_await serve(std::move(request), count);
  }
  if (post && what == "prefetch") {
    auto there = co_await prefetch();
    if (!there) co_return co_await reply_error(there.error());
    co_return co_await reply(200, metadata().name + " is there\n");
  }
  if (post && what == "preempt") {
    auto done = co_await inference::preempt(metadata().sha256);
    if (!done) co_return co_await reply_error(done.error());
    co_return co_await reply(200,
                             "{\"predictions\": " + std::to_string(done->predictions) +
                                 ", \"bytes\": " + std::to_string(done->bytes) + "}\n",
                             "application/json");
  }
  if (method == "GET" && what == "status") {
    co_return co_await reply(200, json_of(inference::status()), "application/json");
  }
  if (method == "GET" && what == metadata().name) {
    co_return co_await reply(200,
                             "{\"name\": \"" + metadata().name +
                                 "\", \"size\": " + std::to_string(metadata().size) +
                                 ", \"sha256\": \"" + metadata().sha256 + "\"}\n",
                             "application/json");
  }
  co_await reply(404, "there is nothing here: see web.cc\n");
}
