#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "capabilities/messaging/drivers/kafka/topics.h"
#include "remote/kafka/client.h"

// Where a group stands, at the server. All of this blocks: for a thread of a pool.
namespace weft::messaging::kafka {

// Partitions of all topics of one pattern.
inline constexpr int kPartitionsMax = 10'000;

struct Position {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string notes = {};
  bool written = true;  // Else the group has none yet: it is where the partition begins.
};

// The number of a topic's partitions. Has the server make the topic where it does that; 0 where
// there is none.
Result<std::int32_t> partitions_of(rd_kafka_t* client, const std::string& topic, Deadline deadline);

// The partitions of all topics of a pattern that are there; has the server make none where the
// client is one that does not.
Result<remote::kafka::PartitionList> find_partitions(rd_kafka_t* client, const Topics& topics,
                                                     const std::string& pattern, Deadline deadline);

// Sets their offsets to their ends of now.
Result<void> to_ends(rd_kafka_t* client, const remote::kafka::PartitionList& partitions,
                     Deadline deadline);

// Sees to it that the consumer's group is there: where it stands nowhere in the topics of its
// pattern, it is new, and stands at their ends from now on.
Result<void> begin_group(rd_kafka_t* client, const Topics& topics, const std::string& pattern,
                         Deadline deadline);

// Where the consumer's group stands in them; in a partition that came after the group did, at its
// beginning.
Result<std::vector<Position>> positions(rd_kafka_t* client,
                                        const remote::kafka::PartitionList& partitions,
                                        Deadline deadline);

// From now until then, as librdkafka wants it.
int ms_until(Deadline deadline);

}  // namespace weft::messaging::kafka
