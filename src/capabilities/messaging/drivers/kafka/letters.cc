#include "capabilities/messaging/drivers/kafka/letters.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "capabilities/messaging/drivers/kafka/group.h"
#include "remote/kafka/errors.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::error_of;
using remote::kafka::Handle;
using Letters = std::vector<DeadLetter>;

constexpr int kPollMs = 100;

struct DestroyMessage {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Came = std::unique_ptr<rd_kafka_message_t, DestroyMessage>;

Result<std::vector<std::string>> letter_topics(const Handle& client, const Topics& topics,
                                               Deadline deadline) {
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error =
      rd_kafka_metadata(client.get(), 1, nullptr, &metadata, ms_until(deadline));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(error_of(error, "asking for the topics of dead letters"));
  }
  std::vector<std::string> found;
  for (int i = 0; i < metadata->topic_cnt && found.size() < kLetterTopicsMax; ++i) {
    std::string_view name = metadata->topics[i].topic;
    if (name.starts_with(topics.all_dead()) && metadata->topics[i].partition_cnt > 0) {
      found.emplace_back(name);
    }
  }
  rd_kafka_metadata_destroy(metadata);
  std::ranges::sort(found);
  return found;
}

// Those of one group, after those that are there already. Up to where the topic ends now.
Result<void> read_topic(const Handle& client, const Topics& topics, const std::string& topic,
                        std::size_t most, Deadline deadline, Letters& letters) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(client.get(), topic.c_str(), 0, &low,
                                                               &high, ms_until(deadline));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(error_of(error, "asking for the ends of " + topic));
  }
  std::int64_t next = std::max(low, high - kLettersMax);
  if (next >= high) return {};
  remote::kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), 0)->offset = next;
  rd_kafka_assign(client.get(), list.get());
  while (next < high && letters.size() < most) {
    if (deadline.passed()) {
      return failure(Errc::kTimeout, fmt::format("Kafka: reading {} took too long", topic));
    }
    Came came(rd_kafka_consumer_poll(client.get(), std::min(kPollMs, ms_until(deadline))));
    if (came == nullptr) continue;
    // The end may come before `high`, where transactions have offsets of their own.
    if (came->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) break;
    if (came->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    next = came->offset + 1;
    if (auto letter = letter_from_wire(topics, *came)) letters.push_back(*std::move(letter));
  }
  rd_kafka_assign(client.get(), nullptr);
  return {};
}

Result<Letters> read(const Handle& client, const Topics& topics, std::size_t most,
                     Deadline deadline) {
  TRY(std::vector<std::string> found, letter_topics(client, topics, deadline));
  Letters letters;
  for (const std::string& topic : found) {
    if (letters.size() >= most) break;
    TRY_VOID(read_topic(client, topics, topic, most, deadline, letters));
  }
  return letters;
}

}  // namespace

Answer<Letters> letters(Site& site, Request request, std::size_t most) {
  TRY(Handle client,
      site.common().open_consumer(site.group_id("_dead"), {{"enable.partition.eof", "true"},
                                                           {"auto.offset.reset", "earliest"},
                                                           {"allow.auto.create.topics", "false"}}));
  auto promise = std::make_shared<Promise<Letters>>();  // Shared by what may have to tell it.
  Answer<Letters> answer = promise->answer();
  Deadline deadline = earlier(request.deadline, Deadline::after(kAskTime));
  auto ask = [common = site.shared_common(), loop = &site.loop(), place = site.place(),
              client = std::move(client), most, deadline, promise] {
    auto result = std::make_shared<Result<Letters>>();  // Shared by the two functions below.
    Result<void> accepted = common->pool.submit(
        *loop,
        [client, place, most, deadline, result] {
          *result = read(client, place->topics, most, deadline);
        },
        [promise, result] { std::move(*promise).fulfil(std::move(*result)); });
    if (!accepted) std::move(*promise).fulfil(std::unexpected(std::move(accepted).error()));
  };
  // What was buried before is told of.
  TRY_VOID(site.when_buried(std::move(ask)));
  return answer;
}

}  // namespace weft::messaging::kafka
