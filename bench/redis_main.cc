// weft_redis_bench PORT COUNT HASH FIELD: reads one field COUNT times over one connection, each
// after the answer to the last one, with blocking reads and writes: what a get from a guest is
// compared with. Prints the p50 and the mean in nanoseconds as JSON.

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

int fail(std::string_view what) {
  fmt::print(stderr, "redis_bench: {}\n", what);
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return fail("usage: PORT COUNT HASH FIELD");
  int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(arguments[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return fail("no connection");
  }
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  std::string_view hash = arguments[3];
  std::string_view field = arguments[4];
  std::string asked = fmt::format("*3\r\n$4\r\nHGET\r\n${}\r\n{}\r\n${}\r\n{}\r\n", hash.size(),
                                  hash, field.size(), field);
  std::vector<double> times;
  int rounds = std::atoi(arguments[2]);
  std::array<char, 4096> answer;
  for (int i = 0; i < rounds; ++i) {
    auto start = Clock::now();
    if (write(socket, asked.data(), asked.size()) != static_cast<ssize_t>(asked.size())) {
      return fail("a short write");
    }
    ssize_t got = read(socket, answer.data(), answer.size());
    if (got <= 0 || answer[0] != '$' || answer[1] == '-') return fail("no value");
    times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  double sum = 0;
  for (double each : times) sum += each;
  std::ranges::sort(times);
  fmt::print("{{\"p50\": {:.0f}, \"mean\": {:.0f}}}\n", times[times.size() / 2],
             sum / static_cast<double>(times.size()));
  close(socket);
  return 0;
}
