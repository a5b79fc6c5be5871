#include "capabilities/messaging/drivers/jetstream/letters.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "base/log.h"
#include "capabilities/messaging/log_format.h"
#include "remote/base64.h"

namespace weft::messaging::jetstream {
namespace {

namespace json = boost::json;
using remote::nats::ApiAnswer;
using remote::nats::Client;
using remote::nats::Problem;
using remote::nats::PublishAck;

// Of headers, beside a letter.
constexpr std::size_t kBeside = 512;
constexpr std::string_view kTooLarge = " (its data is too large to be kept)";
constexpr std::chrono::seconds kEraseTime{10};

enum class Try : std::uint8_t { kFirst, kSecond };

// Nothing that the client holds keeps the stream, whose the client is.
void keep(Stream& stream, remote::nats::Outgoing out, Deadline deadline, Try time,
          Stream::Done done) {
  auto answered = [weak = stream.weak_from_this(), out, deadline, time,
                   done = std::move(done)](Result<PublishAck> ack) mutable {
    if (!ack) return done(std::unexpected(std::move(ack).error()));
    if (ack->problem == Problem::kNone) return done({});
    auto here = weak.lock();
    if (here == nullptr) return;
    if (ack->problem != Problem::kNoResponders || time == Try::kSecond) {
      return done(std::unexpected(std::move(ack->error)));
    }
    here->make_dead_stream(
        [weak, out = std::move(out), deadline, done = std::move(done)](Result<void> made) mutable {
          auto still = weak.lock();
          if (!made) return done(std::move(made));
          if (still) keep(*still, std::move(out), deadline, Try::kSecond, std::move(done));
        });
  };
  remote::nats::publish(stream.client(), std::move(out), deadline, Client::Repeat::kKnown,
                        std::move(answered));
}

struct Kept {
  DeadLetter letter;
  std::uint64_t sequence = 0;
};

// Of what STREAM.MSG.GET answers.
Result<Kept> read_letter(const json::object& body) {
  const json::value* value = body.if_contains("message");
  const json::object* message = value == nullptr ? nullptr : value->if_object();
  const json::value* data = message == nullptr ? nullptr : message->if_contains("data");
  const json::value* number = message == nullptr ? nullptr : message->if_contains("seq");
  boost::system::error_code problem;
  auto sequence = number == nullptr ? 0 : number->to_number<std::uint64_t>(problem);
  if (data == nullptr || !data->is_string() || problem) {
    return failure(Errc::kCorrupt, "JetStream answers with what is no message");
  }
  const json::string& text = data->get_string();
  TRY(Bytes bytes, remote::from_base64({text.data(), text.size()}));
  TRY(DeadLetter letter, decode_dead(bytes));
  letter.number = sequence;
  return Kept{std::move(letter), sequence};
}

// Reads one after the other. Held by what it waits for.
class Listing : public std::enable_shared_from_this<Listing> {
 public:
  Listing(const std::shared_ptr<Stream>& stream, Deadline deadline, std::size_t most)
      : stream_(stream), deadline_(deadline), most_(most) {}

  Answer<std::vector<DeadLetter>> begin() {
    Answer<std::vector<DeadLetter>> answer = promise_.answer();
    next();
    return answer;
  }

 private:
  void next() {
    if (letters_.size() >= most_) return end(std::move(letters_));
    auto stream = stream_.lock();
    if (stream == nullptr) return;
    const Place& place = *stream->place();
    json::object body{{"seq", sequence_}, {"next_by_subj", place.dead_subject("")}};
    remote::nats::api(stream->client(), "STREAM.MSG.GET." + place.dead_stream, body, deadline_,
                      Client::Repeat::kFetch,
                      [self = shared_from_this()](Result<ApiAnswer> answer) {
                        if (!answer) return self->end(std::unexpected(std::move(answer).error()));
                        self->took(*answer);
                      });
  }

  void took(ApiAnswer& answer) {
    if (answer.problem == Problem::kMessageNotFound || answer.problem == Problem::kStreamNotFound) {
      return end(std::move(letters_));
    }
    if (answer.problem != Problem::kNone) return end(std::unexpected(std::move(answer.error)));
    Result<Kept> kept = read_letter(answer.body);
    if (kept && kept->sequence < sequence_) {
      kept = failure(Errc::kCorrupt, "JetStream answers with another message");
    }
    if (!kept) return end(std::unexpected(std::move(kept).error()));
    sequence_ = kept->sequence + 1;
    letters_.push_back(std::move(kept->letter));
    next();
  }

  void end(Result<std::vector<DeadLetter>> result) {
    std::move(promise_).fulfil(std::move(result));
  }

  // Shared by the loop's brokers of that name; gone, nobody waits any more.
  const std::weak_ptr<Stream> stream_;
  const Deadline deadline_;
  const std::size_t most_;
  std::uint64_t sequence_ = 1;
  std::vector<DeadLetter> letters_;
  Promise<std::vector<DeadLetter>> promise_;
};

}  // namespace

void keep_letter(Stream& stream, DeadLetter letter, std::uint64_t number, Deadline deadline,
                 Stream::Done done) {
  Bytes bytes = encode_dead(letter);
  if (bytes.size() + kBeside > stream.client().payload_max()) {
    letter.message.data.clear();
    letter.reason += kTooLarge;
    bytes = encode_dead(letter);
  }
  std::string id =
      fmt::format("dead {} {} {}", stream.place()->stream, stream.consumer(letter.group), number);
  keep(stream,
       {stream.place()->dead_subject(letter.group),
        {{"Nats-Msg-Id", std::move(id)}},
        std::move(bytes)},
       deadline, Try::kFirst, std::move(done));
}

Answer<std::vector<DeadLetter>> letters(const std::shared_ptr<Stream>& stream, Request request,
                                        std::size_t most) {
  return std::make_shared<Listing>(stream, request.deadline, most)->begin();
}

Answer<void> replay_letter(const std::shared_ptr<Stream>& stream, Request request,
                           std::string group, std::uint64_t number) {
  if (!stream->place()->replays.begin(group, number)) {
    return Error(Errc::kConflict, being_replayed(number));
  }
  Promise<void> promise;
  Answer<void> answer = promise.answer();
  auto got = [place = stream->place(), group, number,
              promise = std::move(promise)](Result<ApiAnswer> found) mutable {
    auto end = [&](Result<void> result) {
      if (!result) place->replays.end(group, number);
      std::move(promise).fulfil(std::move(result));
    };
    if (!found) return end(std::unexpected(std::move(found).error()));
    bool none =
        found->problem == Problem::kMessageNotFound || found->problem == Problem::kStreamNotFound;
    if (none) return end(failure(Errc::kNotFound, no_letter(group, number)));
    if (found->problem != Problem::kNone) return end(std::unexpected(std::move(found->error)));
    Result<Kept> kept = read_letter(found->body);
    if (!kept) return end(std::unexpected(std::move(kept).error()));
    DeadLetter& letter = kept->letter;
    if (letter.group != group) return end(failure(Errc::kNotFound, no_letter(group, number)));
    if (letter.message.data.empty() && letter.reason.ends_with(kTooLarge)) {
      return end(failure(Errc::kInvalid, "its data was too large to be kept"));
    }
    std::vector<Left> left;
    left.push_back({{number | kReplayed, std::move(letter.message)}, {}, number});
    if (place->turns.pass(group, std::move(left)).empty()) return end({});
    end(failure(Errc::kUnavailable, no_trigger(group)));
  };
  remote::nats::api(stream->client(), "STREAM.MSG.GET." + stream->place()->dead_stream,
                    {{"seq", number}}, request.deadline, Client::Repeat::kFetch, std::move(got));
  return answer;
}

void erase_letter(const std::shared_ptr<Stream>& stream, std::string group, std::uint64_t number) {
  remote::nats::api(
      stream->client(), "STREAM.MSG.DELETE." + stream->place()->dead_stream, {{"seq", number}},
      Deadline::after(kEraseTime), Client::Repeat::kRead,
      [place = stream->place(), group = std::move(group), number](Result<ApiAnswer> erased) {
        bool well = erased && (erased->problem == Problem::kNone ||
                               erased->problem == Problem::kMessageNotFound);
        if (!well) {
          log::warn("messaging", "a message was handled and stays a dead letter",
                    {{"group", group},
                     {"why", erased ? erased->error.message() : erased.error().message()}});
        }
        place->replays.end(group, number);
      });
}

}  // namespace weft::messaging::jetstream
