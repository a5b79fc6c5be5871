#pragma once

#include <memory>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/kafka/site.h"

namespace weft::messaging::kafka {

// Dead letters of one group that are told of: the last so many. Kafka keeps what the topic's own
// retention says.
inline constexpr std::int64_t kLettersMax = 500;
// Groups whose dead letters are told of.
inline constexpr std::size_t kLetterTopicsMax = 256;

// The first of them, of each group, at most so many.
Answer<std::vector<DeadLetter>> letters(Site& site, Request request, std::size_t most);

}  // namespace weft::messaging::kafka
