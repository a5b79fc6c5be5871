#include "remote/kafka/producer.h"

#include <fmt/format.h>

#include <bit>

#include "base/log.h"
#include "io/loop.h"
#include "remote/kafka/errors.h"

namespace weft::remote::kafka {
namespace {

// The partition of a key is the one that Kafka's own clients choose.
constexpr const char* kPartitioner = "murmur2_random";

rd_kafka_resp_err_t produce(rd_kafka_t* client, Record& record, std::uint64_t number) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers) {
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  char* key = record.key ? record.key->data() : nullptr;
  std::size_t key_size = record.key ? record.key->size() : 0;
  // Key and data are copied; the headers are librdkafka's when it takes the record.
  rd_kafka_resp_err_t error = rd_kafka_producev(
      client, RD_KAFKA_V_TOPIC(record.topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
      RD_KAFKA_V_VALUE(record.data.data(), record.data.size()), RD_KAFKA_V_KEY(key, key_size),
      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_OPAQUE(std::bit_cast<void*>(number)), RD_KAFKA_V_END);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_headers_destroy(headers);
  return error;
}

}  // namespace

struct Producer::Sent {
  Sent(Producer& producer, std::uint64_t number, Done to_tell)
      : done(std::move(to_tell)), timer(producer.loop_, [&producer, number] {
          producer.end(number,
                       failure(Errc::kTimeout,
                               "Kafka: no acknowledgement came in time: whether the message is "
                               "kept is not known"));
        }) {}

  Done done;
  Health::Clock::time_point since = Health::Clock::now();
  Timer timer;
};

Producer::Producer(Loop& loop, std::shared_ptr<const Settings> settings,
                   std::shared_ptr<Endings> endings)
    : loop_(loop), settings_(std::move(settings)), endings_(std::move(endings)) {}

Producer::~Producer() = default;

Result<void> Producer::open_client() {
  if (client_ != nullptr) return {};
  auto send_time = std::chrono::milliseconds(kSendTime);
  TRY(client_, open(*settings_, Kind::kProducer,
                    {{"enable.idempotence", "true"},
                     {"acks", "all"},
                     {"linger.ms", "1"},
                     {"partitioner", kPartitioner},
                     {"compression.codec", settings_->compression},
                     {"queue.buffering.max.messages", std::to_string(kSentMax)},
                     {"queue.buffering.max.kbytes", std::to_string(kBufferedBytesMax / 1024)},
                     {"message.timeout.ms", std::to_string(send_time.count())},
                     {"topic.metadata.propagation.max.ms", "5000"}},
                    endings_));
  watch_ = std::make_unique<Watch>(loop_, rd_kafka_queue_get_main(client_.get()), [this] {
    auto self = shared_from_this();
    poll();
  });
  return {};
}

void Producer::send(Record record, Deadline deadline, Done done) {
  if (Result<void> opened = open_client(); !opened) return done(std::move(opened));
  if (sent_.size() >= kSentMax) {
    return done(failure(
        Errc::kLimit,
        fmt::format("Kafka: {} messages wait already for their acknowledgement", kSentMax)));
  }
  std::uint64_t number = ++last_number_;
  rd_kafka_resp_err_t error = produce(client_.get(), record, number);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return done(std::unexpected(error_of(error, "publishing to " + record.topic)));
  }
  auto sent = std::make_unique<Sent>(*this, number, std::move(done));
  sent->timer.arm(deadline);
  sent_.emplace(number, std::move(sent));
}

void Producer::poll() {
  bool broken = false;
  while (rd_kafka_event_t* found = watch_->poll()) {
    Event event(found);
    switch (rd_kafka_event_type(found)) {
      case RD_KAFKA_EVENT_DR:
        while (const rd_kafka_message_t* message = rd_kafka_event_message_next(found)) {
          delivered(*message);
        }
        break;
      case RD_KAFKA_EVENT_ERROR:
        broken |= rd_kafka_event_error(found) == RD_KAFKA_RESP_ERR__FATAL;
        if (settings_->health && code_of(rd_kafka_event_error(found)) == Errc::kUnavailable) {
          settings_->health->down();
        }
        break;
      default: break;
    }
  }
  if (broken) begin_anew();
}

// Where the order of what was sent is lost an idempotent producer never sends again; another one
// does.
void Producer::begin_anew() {
  log::warn("kafka", "the server lost track of what was sent: beginning anew");
  watch_.reset();
  client_.reset();
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, sent] : sent_) numbers.push_back(number);
  for (std::uint64_t number : numbers) {
    end(number, failure(Errc::kUnavailable,
                        "Kafka: the server lost track of what was sent: whether the message is "
                        "kept is not known"));
  }
}

void Producer::delivered(const rd_kafka_message_t& message) {
  auto number = std::bit_cast<std::uint64_t>(message._private);
  auto found = sent_.find(number);
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (settings_->health) {
      settings_->health->up();
      if (found != sent_.end()) settings_->health->answered(found->second->since);
    }
    return end(number, {});
  }
  std::string topic = message.rkt == nullptr ? "" : rd_kafka_topic_name(message.rkt);
  end(number, std::unexpected(error_of(message.err, "publishing to " + topic)));
}

void Producer::end(std::uint64_t number, Result<void> how) {
  auto taken = sent_.extract(number);
  if (taken.empty()) return;
  // It may be its own timer that fires.
  if (!how && how.error().code() == Errc::kTimeout && settings_->health) {
    settings_->health->unanswered();
  }
  taken.mapped()->timer.disarm();
  taken.mapped()->done(std::move(how));
}

}  // namespace weft::remote::kafka
