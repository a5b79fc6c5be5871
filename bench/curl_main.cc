// weft_curl_bench URL CONNECTIONS THREADS SECONDS: GETs on plain libcurl, what outgoing HTTP is
// compared with. Each thread has a multi handle and keeps its share of the connections busy; prints
// the requests per second.

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::size_t swallow(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

struct Counts {
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::uint64_t> failed = 0;
};

// A handle as the host's client makes it: the same options, as far as they cost anything.
CURL* make_transfer(const std::string& url) {
  CURL* easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &swallow);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  return easy;
}

void load(const std::string& url, int connections, Clock::time_point end, Counts& counts) {
  CURLM* multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
  std::vector<CURL*> transfers;
  for (int i = 0; i < connections; ++i) {
    transfers.push_back(make_transfer(url));
    curl_multi_add_handle(multi, transfers.back());
  }
  while (Clock::now() < end) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    bool again = false;
    while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
      CURL* easy = message->easy_handle;
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      bool good = message->data.result == CURLE_OK && status == 200;
      ++(good ? counts.done : counts.failed);
      curl_multi_remove_handle(multi, easy);
      curl_multi_add_handle(multi, easy);
      again = true;
    }
    if (!again) curl_multi_poll(multi, nullptr, 0, 100, nullptr);
  }
  for (CURL* easy : transfers) {
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
  }
  curl_multi_cleanup(multi);
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) {
    fmt::print(stderr, "usage: weft_curl_bench URL CONNECTIONS THREADS SECONDS\n");
    return 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  int connections = std::atoi(words[2]);
  int threads = std::clamp(std::atoi(words[3]), 1, std::max(connections, 1));
  int seconds = std::atoi(words[4]);
  Counts counts;
  std::vector<std::thread> pool;
  auto end = Clock::now() + std::chrono::seconds(seconds);
  for (int i = 0; i < threads; ++i) {
    int share = connections / threads + (i < connections % threads ? 1 : 0);
    pool.emplace_back([&, share] { load(words[1], share, end, counts); });
  }
  for (std::thread& thread : pool) thread.join();
  if (counts.failed != 0) {
    fmt::print(stderr, "{} requests failed\n", counts.failed.load());
    return 1;
  }
  fmt::print("{}\n", counts.done / static_cast<std::uint64_t>(seconds));
  return 0;
}
