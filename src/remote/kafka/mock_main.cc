// librdkafka's mock of a Kafka cluster as a program of its own, for tests. Prints where it is, then
// does what the lines on its standard input say, and answers each with "ok":
//   fail API CODE TIMES   the next requests of that kind are answered with that error
//   down                  connections are broken and refused
//   up                    and taken again
// Ends with its input.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int kBrokers = 1;
constexpr std::size_t kTimesMax = 1000;

bool obey(rd_kafka_mock_cluster_t* cluster, const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  words >> verb;
  if (verb == "down") return rd_kafka_mock_broker_set_down(cluster, -1) == 0;
  if (verb == "up") return rd_kafka_mock_broker_set_up(cluster, -1) == 0;
  int api = 0;
  int code = 0;
  std::size_t times = 0;
  if (verb != "fail" || !(words >> api >> code >> times) || times > kTimesMax) return false;
  std::vector<rd_kafka_resp_err_t> errors(times, static_cast<rd_kafka_resp_err_t>(code));
  rd_kafka_mock_push_request_errors_array(cluster, static_cast<std::int16_t>(api), errors.size(),
                                          errors.data());
  return true;
}

}  // namespace

int main() {
  std::array<char, 512> text{};
  rd_kafka_t* client =
      rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text.data(), text.size());
  if (client == nullptr) {
    fmt::print(stderr, "{}\n", text.data());
    return 1;
  }
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new(client, kBrokers);
  fmt::print("{}\n", rd_kafka_mock_cluster_bootstraps(cluster));
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) {
    fmt::print("{}\n", obey(cluster, line) ? "ok" : "what?");
    std::fflush(stdout);
  }
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(client);
}
