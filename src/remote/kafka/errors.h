#pragma once

#include <librdkafka/rdkafka.h>

#include <string_view>

#include "base/error.h"

namespace weft::remote::kafka {

// The kind of failure.
Errc code_of(rd_kafka_resp_err_t error);
// The same with words: what was done, and what librdkafka or the server says of it.
Error error_of(rd_kafka_resp_err_t error, std::string_view doing);

}  // namespace weft::remote::kafka
