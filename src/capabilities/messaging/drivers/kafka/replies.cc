#include "capabilities/messaging/drivers/kafka/replies.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "capabilities/messaging/drivers/kafka/group.h"
#include "capabilities/messaging/drivers/kafka/site.h"
#include "io/loop.h"
#include "remote/kafka/errors.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::Event;
using remote::kafka::Record;

std::string random_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
}

}  // namespace

Replies::Replies(Site& site)
    : site_(site),
      self_(std::make_shared<Replies*>(this)),
      address_(fmt::format("{}{}.", kReplies, random_name())),
      asked_(site.loop()) {}

Replies::~Replies() {
  *self_ = nullptr;
  watch_.reset();
}

Answer<std::vector<Message>> Replies::ask(Request request, Message message, std::size_t replies) {
  TRY(std::uint64_t number, asked_.next_number());
  message.reply_to = fmt::format("{}{}", address_, number);
  TRY(Record record, to_wire(site_.place()->topics, message));
  if (ready_) {
    Answer<std::vector<Message>> answer = asked_.add(number, replies, request.deadline);
    site_.send(std::move(record), request.deadline, asked_.when_sent(number));
    return answer;
  }
  Answer<std::vector<Message>> answer =
      asked_.add(number, replies, request.deadline, std::move(record));
  if (!opening_) open();
  return answer;
}

void Replies::open() {
  opening_ = true;
  auto client = site_.common().open_consumer(site_.group_id("_reply"),
                                             {{"enable.partition.eof", "true"},
                                              {"auto.offset.reset", "latest"},
                                              {"allow.auto.create.topics", "true"}});
  auto count = std::make_shared<Result<std::int32_t>>(0);  // Shared by the two functions below.
  if (!client) {
    *count = std::unexpected(std::move(client).error());
    return site_.loop().defer([self = self_, count] {
      if (*self != nullptr) (*self)->found(std::move(*count));
    });
  }
  client_ = *std::move(client);
  Result<void> accepted = site_.common().pool.submit(
      site_.loop(),
      [client = client_, topic = site_.place()->topics.replies(), count] {
        *count = partitions_of(client.get(), topic, Deadline::after(kAskTime));
      },
      [self = self_, count] {
        if (*self != nullptr) (*self)->found(std::move(*count));
      });
  if (accepted) return;
  opening_ = false;
  asked_.fail_all(accepted.error());
}

void Replies::found(Result<std::int32_t> partitions) {
  std::string topic = site_.place()->topics.replies();
  if (partitions && *partitions == 0) {
    partitions = std::unexpected(
        remote::kafka::error_of(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "reading " + topic));
  }
  if (!partitions) {
    opening_ = false;
    client_.reset();
    return asked_.fail_all(partitions.error());
  }
  remote::kafka::PartitionList list(rd_kafka_topic_partition_list_new(*partitions));
  for (std::int32_t i = 0; i < *partitions; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset = RD_KAFKA_OFFSET_END;
    at_end_[i] = false;
  }
  rd_kafka_assign(client_.get(), list.get());
  watch_ = std::make_unique<remote::kafka::Watch>(
      site_.loop(), rd_kafka_queue_get_consumer(client_.get()), [this] { poll(); });
}

void Replies::poll() {
  while (rd_kafka_event_t* found = watch_->poll()) {
    Event event(found);
    if (rd_kafka_event_type(found) == RD_KAFKA_EVENT_ERROR) {
      if (rd_kafka_event_error(found) != RD_KAFKA_RESP_ERR__PARTITION_EOF) continue;
      rd_kafka_topic_partition_t* where = rd_kafka_event_topic_partition(found);
      if (where == nullptr) continue;
      at_end(where->partition);
      rd_kafka_topic_partition_destroy(where);
    } else if (rd_kafka_event_type(found) == RD_KAFKA_EVENT_FETCH) {
      while (const rd_kafka_message_t* message = rd_kafka_event_message_next(found)) {
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) at_end(message->partition);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) came(*message);
      }
    }
  }
}

// From here on nothing of it is missed.
void Replies::at_end(std::int32_t partition) {
  if (ready_) return;
  at_end_[partition] = true;
  ready_ = std::ranges::all_of(at_end_, [](const auto& each) { return each.second; });
  if (!ready_) return;
  asked_.send_all([this](std::uint64_t number, Record record, Deadline deadline) {
    site_.send(std::move(record), deadline, asked_.when_sent(number));
  });
}

void Replies::came(const rd_kafka_message_t& came) {
  std::optional<Message> message = from_wire(site_.place()->topics, came);
  if (!message || !message->topic.starts_with(address_)) return;
  std::string number = message->topic.substr(address_.size());
  asked_.came(number, *std::move(message));
}

}  // namespace weft::messaging::kafka
