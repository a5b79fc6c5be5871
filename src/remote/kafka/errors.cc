#include "remote/kafka/errors.h"

#include <fmt/format.h>

#include "remote/said.h"

namespace weft::remote::kafka {

Errc code_of(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT: return Errc::kTimeout;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED: return Errc::kLimit;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: return Errc::kInvalid;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return Errc::kDenied;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return Errc::kNotFound;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION: return Errc::kUnsupported;
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR: return Errc::kFull;
    // All else is of a server that is not there or changes its mind: later may work.
    default: return Errc::kUnavailable;
  }
}

Error error_of(rd_kafka_resp_err_t error, std::string_view doing) {
  std::string_view advice;
  if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    advice = ": raise the topic's max.message.bytes, or send less";
  } else if (code_of(error) == Errc::kNotFound) {
    advice = ": make the topic, or let the server make it (auto.create.topics.enable)";
  }
  return {code_of(error), fmt::format("Kafka: {}: {} ({}){}", doing, said(rd_kafka_err2str(error)),
                                      rd_kafka_err2name(error), advice)};
}

}  // namespace weft::remote::kafka
