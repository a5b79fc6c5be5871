#include "capabilities/messaging/drivers/jetstream/stream.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "io/loop.h"

namespace weft::messaging::jetstream {
namespace {

namespace json = boost::json;
using remote::nats::ApiAnswer;
using remote::nats::Client;
using remote::nats::Problem;
using remote::nats::Streams;
using std::chrono::nanoseconds;

// What is published twice under one id within that time is kept once.
constexpr nanoseconds kKnownFor = std::chrono::minutes(2);

// What the settings of both kinds of stream have in common.
json::object stream_config(const std::string& name, const std::string& subject,
                           const Settings& settings) {
  return {{"name", name},
          {"description", "messages of weft's"},
          {"subjects", json::array{json::value(subject)}},
          {"storage", "file"},
          {"max_consumers", -1},
          {"num_replicas", settings.replicas},
          {"duplicate_window", kKnownFor.count()}};
}

// Whether one is there now, whoever made it. One that is there is taken as it is, also by an
// account that may make none.
Result<void> made(Result<ApiAnswer>& answer, std::string_view name) {
  if (!answer) return std::unexpected(std::move(answer).error());
  if (answer->problem == Problem::kNone || answer->problem == Problem::kStreamNameInUse ||
      answer->error.code() == Errc::kDenied) {
    return {};
  }
  return std::unexpected(
      std::move(answer->error).within(fmt::format("the stream {} cannot be made", name)));
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name));
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? "" : std::string(*text);
}

}  // namespace

std::string Place::dead_subject(std::string_view group) const {
  return fmt::format("_DEAD.{}.{}", subjects.prefix(), group.empty() ? ">" : nats::token(group));
}

Stream::Stream(std::shared_ptr<nats::Link> link, std::shared_ptr<const Settings> settings,
               std::shared_ptr<Streams> streams, std::shared_ptr<Place> place)
    : link_(std::move(link)),
      settings_(std::move(settings)),
      streams_(std::move(streams)),
      place_(std::move(place)),
      after_groups_(link_->loop(), {place_, &place_->beginnings}) {}

void Stream::ready(Done done) {
  if (Result<void> room = after_groups_.room(); !room) return done(std::move(room));
  after_groups_.run([this, done = std::move(done)]() mutable { when_there(std::move(done)); });
}

void Stream::when_there(Done done) {
  if (there_) return done({});
  if (waiting_.size() >= kWaitingMax) {
    return done(failure(Errc::kLimit, fmt::format("{} wait for the stream", kWaitingMax)));
  }
  waiting_.push_back(std::move(done));
  if (!finding_) find();
}

void Stream::find() {
  finding_ = true;
  auto again = [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->find();
  };
  std::unique_ptr<Streams::Making> making;
  switch (streams_->ask(place_->stream, loop(), again, &making)) {
    case Streams::State::kThere: return found({});
    case Streams::State::kMaking: return;
    case Streams::State::kUnknown: return make(std::move(making));
  }
}

// A message stays for as long as a group waits for it, and where none is there it is dropped; a
// stream that is full refuses.
void Stream::make(std::unique_ptr<Streams::Making> making) {
  json::object config = stream_config(place_->stream, place_->subjects.prefix() + ".>", *settings_);
  config["retention"] = "interest";
  config["discard"] = "new";
  config["max_msgs"] = kMessagesMax;
  config["max_bytes"] = settings_->max_bytes;
  config["max_age"] = nanoseconds(settings_->max_age).count();
  auto done = [weak = weak_from_this(), name = place_->stream,
               making = std::move(making)](Result<ApiAnswer> answer) {
    Result<void> there = made(answer, name);
    if (there) making->made();
    if (auto self = weak.lock()) self->found(std::move(there));
  };
  remote::nats::api(client(), "STREAM.CREATE." + place_->stream, config, Deadline::after(kMakeTime),
                    Client::Repeat::kRead, std::move(done));
}

void Stream::found(Result<void> found) {
  there_ = found.has_value();
  finding_ = false;
  for (auto& each : std::exchange(waiting_for_stream_, {})) each(found);
  for (auto& each : std::exchange(waiting_, {})) each(found);
}

void Stream::lost() {
  there_ = false;
  streams_->lost(place_->stream);
}

void Stream::add_group(const Wanted& wanted, Found done) {
  // Ends with what is under way, whatever comes of it.
  std::shared_ptr<void> beginning(nullptr, [place = place_, id = place_->beginnings.begins()](
                                               void*) { place->beginnings.ended(id); });
  auto then = [weak = weak_from_this(), wanted, beginning = std::move(beginning),
               done = std::move(done)](Result<void> stream) mutable {
    auto self = weak.lock();
    if (self == nullptr) return;
    auto end = [beginning = std::move(beginning),
                done = std::move(done)](Result<std::string> made) mutable {
      done(std::move(made));
      beginning = nullptr;
    };
    if (!stream) return end(std::unexpected(std::move(stream).error()));
    self->make_consumer(wanted, std::move(end));
  };
  if (there_) return then({});
  waiting_for_stream_.push_back(std::move(then));
  if (!finding_) find();
}

void Stream::make_consumer(const Wanted& wanted, Found done) {
  Result<std::string> filter = place_->subjects.subject(wanted.pattern);
  if (!filter) {
    return loop().defer([done = std::move(done), error = filter.error()]() mutable {
      done(std::unexpected(std::move(error)));
    });
  }
  std::string name = consumer(wanted.group);
  json::object config{{"durable_name", name},
                      {"description", wanted.group},
                      {"deliver_policy", "new"},
                      {"ack_policy", "explicit"},
                      {"replay_policy", "instant"},
                      {"filter_subject", *filter},
                      {"ack_wait", nanoseconds(settings_->ack_wait).count()},
                      {"max_deliver", -1},
                      {"max_ack_pending", kOpenMax},
                      {"inactive_threshold", nanoseconds(kGroupKept).count()}};
  json::object body{{"stream_name", place_->stream}, {"config", std::move(config)}};
  auto answered = [weak = weak_from_this(), name,
                   done = std::move(done)](Result<ApiAnswer> answer) mutable {
    auto self = weak.lock();
    if (self == nullptr) return;
    if (!answer) return done(std::unexpected(std::move(answer).error()));
    if (answer->problem == Problem::kNone) return done(text_of(answer->body, "created"));
    if (answer->problem == Problem::kStreamNotFound) self->lost();
    done(std::unexpected(std::move(answer->error)
                             .within(fmt::format("the consumer {} of {} cannot be made", name,
                                                 self->place_->stream))));
  };
  remote::nats::api(client(), fmt::format("CONSUMER.DURABLE.CREATE.{}.{}", place_->stream, name),
                    body, Deadline::after(kMakeTime), Client::Repeat::kRead, std::move(answered));
}

void Stream::make_dead_stream(Done done) {
  // One request for all who come meanwhile.
  waiting_for_dead_stream_.push_back(std::move(done));
  if (waiting_for_dead_stream_.size() > 1) return;
  json::object config = stream_config(place_->dead_stream, place_->dead_subject(""), *settings_);
  config["retention"] = "limits";
  config["discard"] = "old";
  config["max_msgs_per_subject"] = kLettersMax;
  remote::nats::api(client(), "STREAM.CREATE." + place_->dead_stream, config,
                    Deadline::after(kMakeTime), Client::Repeat::kRead,
                    [weak = weak_from_this()](Result<ApiAnswer> answer) {
                      auto self = weak.lock();
                      if (self == nullptr) return;
                      Result<void> there = made(answer, self->place_->dead_stream);
                      for (auto& each : std::exchange(self->waiting_for_dead_stream_, {})) {
                        each(there);
                      }
                    });
}

}  // namespace weft::messaging::jetstream
