#include "capabilities/keyvalue/drivers/nats/keys.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <random>
#include <utility>

#include "base/log.h"
#include "remote/base64.h"

namespace weft::keyvalue::nats {
namespace {

namespace json = boost::json;
using remote::nats::ApiAnswer;
using remote::nats::Client;
using remote::nats::Outgoing;
using remote::nats::Problem;
using remote::nats::PublishAck;
using Repeat = Client::Repeat;

constexpr std::chrono::seconds kMakeTimeout{10};
// How long the server knows a message again: longer than the client may repeat it.
constexpr std::chrono::nanoseconds kKnownFor = std::chrono::seconds(30);
static_assert(kKnownFor > remote::nats::kRepeatWithin * 2);

constexpr std::string_view kOperation = "KV-Operation";

std::string new_message_prefix() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}-", random(), random());
}

const json::value* member(const json::value* of, std::string_view name) {
  const json::object* object = of == nullptr ? nullptr : of->if_object();
  return object == nullptr ? nullptr : object->if_contains(json::string_view(name));
}

std::string_view text_of(const json::value* value) {
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

// A message of the stream's, as the API shows one.
Result<Keys::Found> read_message(const json::object& body) {
  const json::value* message = body.if_contains("message");
  const json::value* sequence = member(message, "seq");
  boost::system::error_code problem;
  Keys::Found found;
  if (sequence != nullptr) found.version = sequence->to_number<std::uint64_t>(problem);
  if (problem || found.version == 0) {
    return failure(Errc::kCorrupt, "JetStream answers with no message");
  }
  TRY(Bytes block, remote::from_base64(text_of(member(message, "hdrs"))));
  if (!block.empty()) {
    TRY(auto headers, remote::nats::parse_headers(block));
    const std::string* operation = headers.find(kOperation);
    if (operation != nullptr && *operation != "PUT") return found;
  }
  TRY(found.value, remote::from_base64(text_of(member(message, "data"))));
  return found;
}

}  // namespace

Keys::Keys(std::shared_ptr<Client> client, std::shared_ptr<const Settings> settings,
           std::shared_ptr<Streams> streams, std::string name)
    : client_(std::move(client)),
      settings_(std::move(settings)),
      streams_(std::move(streams)),
      name_(std::move(name)),
      message_prefix_(new_message_prefix()),
      markers_timer_(client_->loop(), [this] { take_markers_away(); }) {}

std::string Keys::subject(std::string_view key) const {
  return fmt::format("$KV.{}.{}", name_, key);
}

// By the API, which the stream's leader answers, and not by a direct read, which a replica might
// answer that has not heard of the last write yet.
void Keys::read(const std::string& key, Deadline deadline, Done<Found> done) {
  auto take = [done = std::move(done)](Result<ApiAnswer> answer) mutable {
    if (!answer) return done(std::unexpected(std::move(answer).error()));
    switch (answer->problem) {
      case Problem::kNone: return done(read_message(answer->body));
      case Problem::kMessageNotFound:
      case Problem::kStreamNotFound: return done(Found());
      default: return done(std::unexpected(std::move(answer->error)));
    }
  };
  ready(
      [this, subject = subject(key), deadline, take = std::move(take)](Result<void> there) mutable {
        if (!there) return take(std::unexpected(std::move(there).error()));
        remote::nats::api(*client_, fmt::format("STREAM.MSG.GET.KV_{}", name_),
                          {{"last_by_subj", subject}}, deadline, Repeat::kFetch, std::move(take));
      });
}

void Keys::write(const std::string& key, Change change, Deadline deadline,
                 Done<std::uint64_t> done) {
  Outgoing message{subject(key)};
  message.headers.emplace_back("Nats-Msg-Id",
                               fmt::format("{}{}", message_prefix_, next_message_++));
  if (change.expected) {
    message.headers.emplace_back("Nats-Expected-Last-Subject-Sequence",
                                 fmt::to_string(*change.expected));
  }
  if (change.value) {
    message.payload = *std::move(change.value);
  } else {
    message.headers.emplace_back(kOperation, "PURGE");
    message.headers.emplace_back("Nats-Rollup", "sub");
    done = [weak = weak_from_this(), subject = message.subject,
            done = std::move(done)](Result<std::uint64_t> sequence) mutable {
      auto self = std::static_pointer_cast<Keys>(weak.lock());
      if (self != nullptr && sequence && *sequence != 0) {
        self->forget_marker(std::move(subject), *sequence);
      }
      done(std::move(sequence));
    };
  }
  ready([this, message = std::move(message), deadline,
         done = std::move(done)](Result<void> there) mutable {
    if (!there) return done(std::unexpected(std::move(there).error()));
    publish(std::move(message), deadline, std::move(done));
  });
}

// Never from inside what the caller called.
void Keys::fail(Done<std::uint64_t> done, Error error) {
  client_->loop().defer([done = std::move(done), error = std::move(error)]() mutable {
    done(std::unexpected(std::move(error)));
  });
}

void Keys::publish(Outgoing message, Deadline deadline, Done<std::uint64_t> done) {
  if (message.payload.size() + kBesideValue > client_->payload_max()) {
    return fail(
        std::move(done),
        Error(Errc::kInvalid,
              fmt::format("a value of {} bytes: this NATS server takes {} (its max_payload, "
                          "less {})",
                          message.payload.size(), client_->payload_max() - kBesideValue,
                          kBesideValue)));
  }
  remote::nats::publish(
      *client_, std::move(message), deadline, Repeat::kKnown,
      [weak = weak_from_this(), done = std::move(done)](Result<PublishAck> ack) mutable {
        if (!ack) return done(std::unexpected(std::move(ack).error()));
        if (ack->problem == Problem::kNone) return done(ack->sequence);
        if (ack->problem == Problem::kWrongLastSequence) return done(0);
        if (ack->problem == Problem::kNoResponders) {
          // Somebody removed the stream: who comes next makes it anew.
          if (auto self = std::static_pointer_cast<Keys>(weak.lock())) {
            self->there_ = false;
            self->streams_->lost(self->name_);
          }
        }
        done(std::unexpected(std::move(ack->error)));
      });
}

void Keys::ready(Done<void> done) {
  if (there_ && waiting_.empty()) return done({});
  if (waiting_.size() >= kWaitingMax) {
    return client_->loop().defer([done = std::move(done)]() mutable {
      done(failure(Errc::kLimit, fmt::format("{} requests wait for the bucket", kWaitingMax)));
    });
  }
  waiting_.push_back(std::move(done));
  if (!finding_) find_stream();
}

void Keys::find_stream() {
  finding_ = true;
  auto again = [weak = weak_from_this()] {
    if (auto self = std::static_pointer_cast<Keys>(weak.lock())) self->find_stream();
  };
  std::unique_ptr<Streams::Making> making;
  switch (streams_->ask(name_, client_->loop(), again, &making)) {
    case Streams::State::kThere: return stream_found({});
    case Streams::State::kMaking: return;
    case Streams::State::kUnknown: return make_stream(std::move(making));
  }
}

// As the tools of NATS make a bucket with a history of one value. One that is there is taken as it
// is, also by an account that may make none.
void Keys::make_stream(std::unique_ptr<Streams::Making> making) {
  json::object config{
      {"name", fmt::format("KV_{}", name_)},
      {"description", "a bucket of weft's"},
      {"subjects", json::array{subject(">")}},
      {"retention", "limits"},
      {"storage", "file"},
      {"discard", "new"},
      {"max_msgs_per_subject", 1},
      {"max_msgs", -1},
      {"max_bytes", -1},
      {"max_msg_size", -1},
      {"max_consumers", -1},
      {"num_replicas", settings_->replicas},
      {"duplicate_window", kKnownFor.count()},
      {"deny_delete", true},
      {"allow_rollup_hdrs", true},
      {"allow_direct", true},
  };
  auto done = [weak = weak_from_this(), making = std::move(making)](Result<ApiAnswer> answer) {
    Error why = answer ? answer->error : answer.error();
    bool there =
        answer ? answer->problem == Problem::kNone || answer->problem == Problem::kStreamNameInUse
               : why.code() == Errc::kDenied;
    if (there) making->made();
    auto self = std::static_pointer_cast<Keys>(weak.lock());
    if (self == nullptr) return;
    if (there) return self->stream_found({});
    self->stream_found(std::unexpected(
        std::move(why).within(fmt::format("the bucket {} cannot be made", self->name_))));
  };
  remote::nats::api(*client_, fmt::format("STREAM.CREATE.KV_{}", name_), config,
                    Deadline::after(kMakeTimeout), Repeat::kRead, std::move(done));
}

void Keys::stream_found(Result<void> found) {
  there_ = found.has_value();
  finding_ = false;
  for (auto& each : std::exchange(waiting_, {})) each(found);
}

void Keys::read_basis(const std::string& key, Deadline deadline, Done<Snapshot> done) {
  read(key, deadline, std::move(done));
}

void Keys::swap_basis(const std::string& key, const Snapshot& basis, Bytes value, Deadline deadline,
                      Done<std::uint64_t> done) {
  write(key, {std::move(value), basis.version}, deadline, std::move(done));
}

// The marker of a deleted key tells those who watch; nobody needs it afterwards, and it would stay
// for ever.
void Keys::forget_marker(std::string subject, std::uint64_t sequence) {
  if (markers_.size() >= kMarkersMax) {
    take_away(markers_.front().subject, markers_.front().sequence);
    markers_.pop_front();
  }
  markers_.push_back({std::move(subject), sequence, Deadline::after(settings_->marker_stays)});
  if (!markers_timer_.armed()) markers_timer_.arm(markers_.front().end);
}

void Keys::take_markers_away() {
  while (!markers_.empty() && markers_.front().end.passed()) {
    take_away(markers_.front().subject, markers_.front().sequence);
    markers_.pop_front();
  }
  if (!markers_.empty()) markers_timer_.arm(markers_.front().end);
}

// Nothing that was written after the marker.
void Keys::take_away(const std::string& subject, std::uint64_t sequence) {
  remote::nats::api(*client_, fmt::format("STREAM.PURGE.KV_{}", name_),
                    {{"filter", subject}, {"seq", sequence + 1}}, Deadline::after(kMakeTimeout),
                    Repeat::kRead, [](Result<ApiAnswer>) {});
}

}  // namespace weft::keyvalue::nats
