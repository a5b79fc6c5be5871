#include "observe/prometheus.h"

#include <fmt/format.h>

#include <initializer_list>
#include <iterator>
#include <utility>

#include "base/version.h"
#include "door/link_notes.h"

namespace weft {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// Whether a bound is one of those that are told: 1, 2 and 5 of each decade.
bool told(std::uint64_t bound) {
  while (bound >= 10 && bound % 10 == 0) bound /= 10;
  return bound == 1 || bound == 2 || bound == 5;
}

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(out(), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }

  template <class Value>
  void sample(Labels labels, Value value, std::string_view suffix = {}) {
    text_ += name_;
    text_ += suffix;
    label_set(labels, {});
    fmt::format_to(out(), " {}\n", value);
  }

  void histogram(Labels labels, const LatencyTotal& total) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
      count += total.buckets[i];
      if (!told(kLatencyBounds[i])) continue;
      bucket(labels, fmt::format("{}", static_cast<double>(kLatencyBounds[i]) / 1e9), count);
    }
    count += total.buckets.back();
    bucket(labels, "+Inf", count);
    sample(labels, static_cast<double>(total.sum_ns) / 1e9, "_sum");
    sample(labels, count, "_count");
  }

  std::string take() { return std::move(text_); }

 private:
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }

  void bucket(Labels labels, std::string_view bound, std::uint64_t count) {
    text_ += name_;
    text_ += "_bucket";
    label_set(labels, bound);
    fmt::format_to(out(), " {}\n", count);
  }

  void label_set(Labels labels, std::string_view bound) {
    char before = '{';
    auto label = [&](std::string_view key, std::string_view value) {
      text_ += before;
      before = ',';
      text_ += key;
      text_ += "=\"";
      for (char c : value) {
        if (c == '\n') {
          text_ += "\\n";
          continue;
        }
        if (c == '"' || c == '\\') text_ += '\\';
        text_ += c;
      }
      text_ += '"';
    };
    for (const auto& [key, value] : labels) label(key, value);
    if (!bound.empty()) label("le", bound);
    if (before == ',') text_ += '}';
  }

  std::string text_;
  std::string_view name_;
};

void routes(Text& text, const Totals& totals) {
  auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                    auto write) {
    text.family(name, type, help);
    for (const auto& [key, total] : totals.routes) write(key, total);
  };
  auto plain = [&](std::string_view name, std::string_view type, std::string_view help,
                   auto value) {
    family(name, type, help, [&](const auto& key, const RouteTotal& total) {
      text.sample({{"app", key[0]}, {"component", key[1]}, {"route", key[2]}}, value(total));
    });
  };
  family(
      "weft_http_requests_total", "counter",
      "Requests that are complete, by the class of their status; none: no response began.",
      [&](const auto& key, const RouteTotal& total) {
        static constexpr std::array<std::string_view, 6> kClasses = {"none", "1xx", "2xx",
                                                                     "3xx",  "4xx", "5xx"};
        for (std::size_t i = 0; i < kClasses.size(); ++i) {
          // 1xx is never final: it is written when the impossible was counted.
          if (i < 2 && total.answered[i] == 0) continue;
          text.sample(
              {{"app", key[0]}, {"component", key[1]}, {"route", key[2]}, {"status", kClasses[i]}},
              total.answered[i]);
        }
      });
  plain("weft_http_requests_in_flight", "gauge", "Requests under way.",
        [](const RouteTotal& total) { return total.in_flight(); });
  family("weft_http_requests_cut_total", "counter",
         "Responses that were not complete: broken off here, or left by the client.",
         [&](const auto& key, const RouteTotal& total) {
           auto sample = [&](std::string_view by, std::uint64_t value) {
             text.sample({{"app", key[0]}, {"component", key[1]}, {"route", key[2]}, {"by", by}},
                         value);
           };
           sample("host", total.broken);
           sample("client", total.gone);
         });
  plain("weft_http_request_body_bytes_total", "counter", "Bytes of bodies that came.",
        [](const RouteTotal& total) { return total.bytes_in; });
  plain("weft_http_response_body_bytes_total", "counter", "Bytes of bodies that went out.",
        [](const RouteTotal& total) { return total.bytes_out; });
  family("weft_http_request_duration_seconds", "histogram",
         "From a request's head to the end of its response.",
         [&](const auto& key, const RouteTotal& total) {
           text.histogram({{"app", key[0]}, {"component", key[1]}, {"route", key[2]}}, total.time);
         });
}

void components(Text& text, const Totals& totals) {
  auto counter = [&](std::string_view name, std::string_view type, std::string_view help,
                     auto value) {
    text.family(name, type, help);
    for (const auto& [key, total] : totals.components) {
      text.sample({{"app", key[0]}, {"component", key[1]}}, value(total));
    }
  };
  using Total = ComponentTotal;
  counter("weft_guest_instances_total", "counter", "Instances that were made.",
          [](const Total& total) { return total.instances; });
  counter("weft_guest_traps_total", "counter", "Guests that trapped.",
          [](const Total& total) { return total.traps; });
  counter("weft_guest_failures_total", "counter",
          "Guests that could not be started, or ended without a response.",
          [](const Total& total) { return total.failures; });
  counter("weft_guest_cpu_seconds_total", "counter", "Processor time of guests.",
          [](const Total& total) { return static_cast<double>(total.cpu_ns) / 1e9; });
  counter("weft_guest_memory_peak_bytes", "gauge", "The most that one instance's memories held.",
          [](const Total& total) { return total.memory_peak; });
  counter("weft_guest_lines_total", "counter", "Lines that guests printed.",
          [](const Total& total) { return total.lines; });
  text.family("weft_guest_limits_total", "counter", "Guests and requests that met a limit.");
  for (const auto& [key, total] : totals.components) {
    for (std::size_t i = 0; i < kLimitKinds; ++i) {
      text.sample(
          {{"app", key[0]}, {"component", key[1]}, {"limit", to_string(static_cast<LimitKind>(i))}},
          total.limits[i]);
    }
  }
  text.family("weft_outgoing_requests_total", "counter",
              "Requests that guests sent; refused: no grant allows them.");
  for (const auto& [key, total] : totals.components) {
    auto sample = [&](std::string_view outcome, std::uint64_t value) {
      text.sample({{"app", key[0]}, {"component", key[1]}, {"outcome", outcome}}, value);
    };
    sample("sent", total.sent);
    sample("failed", total.send_failures);
    sample("refused", total.send_refusals);
  }
}

void calls(Text& text, const Totals& totals) {
  auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                    auto write) {
    text.family(name, type, help);
    for (const auto& [key, total] : totals.calls) {
      write(
          Labels{
              {"app", key[0]}, {"component", key[1]}, {"capability", key[2]}, {"driver", key[3]}},
          total);
    }
  };
  family("weft_capability_calls_total", "counter", "Calls of guests to capabilities.",
         [&](Labels labels, const CallTotal& total) { text.sample(labels, total.calls); });
  family("weft_capability_failures_total", "counter",
         "Calls that failed outright. Errors of an interface's own are answers.",
         [&](Labels labels, const CallTotal& total) { text.sample(labels, total.failures); });
  family("weft_capability_call_duration_seconds", "histogram",
         "How long calls took: of every sixteenth, and of each that is traced.",
         [&](Labels labels, const CallTotal& total) { text.histogram(labels, total.time); });
}

// Only of links around which something happened: most have no such layers.
void links(Text& text, const Totals& totals) {
  using Outcomes = std::initializer_list<std::pair<LinkEvent, std::string_view>>;
  auto family = [&](std::string_view name, std::string_view help, Outcomes outcomes) {
    text.family(name, "counter", help);
    for (const auto& [key, total] : totals.calls) {
      auto count = [&](LinkEvent event) { return total.events[static_cast<std::size_t>(event)]; };
      bool any = false;
      for (const auto& [event, outcome] : outcomes) any = any || count(event) != 0;
      for (const auto& [event, outcome] : outcomes) {
        if (!any) continue;
        text.sample({{"app", key[0]},
                     {"component", key[1]},
                     {"capability", key[2]},
                     {"driver", key[3]},
                     {"outcome", outcome}},
                    count(event));
      }
    }
  };
  family("weft_link_attempts_total", "Attempts of calls by links beyond their first.",
         {{LinkEvent::kRetry, "retry"}});
  family("weft_link_cache_lookups_total",
         "Calls of cached functions; joined: they waited for the answer of one under way.",
         {{LinkEvent::kHit, "hit"}, {LinkEvent::kMiss, "miss"}, {LinkEvent::kJoined, "joined"}});
  family("weft_link_waits_total",
         "Calls above the concurrency of their link; refused: too many waited already.",
         {{LinkEvent::kQueued, "queued"}, {LinkEvent::kShed, "refused"}});
}

// Of what wakes components. There is none where nothing does.
void triggers(Text& text, const Totals& totals) {
  if (totals.triggers.empty()) return;
  auto plain = [&](std::string_view name, std::string_view type, std::string_view help,
                   auto value) {
    text.family(name, type, help);
    for (const auto& [key, total] : totals.triggers) {
      text.sample({{"app", key[0]},
                   {"component", key[1]},
                   {"trigger", key[2]},
                   {"on", key[3]},
                   {"group", key[4]}},
                  value(total));
    }
  };
  text.family(
      "weft_trigger_runs_total", "counter",
      "Runs that ended, by how; no-room: there was none for an instance, and it comes again.");
  for (const auto& [key, total] : totals.triggers) {
    for (std::size_t i = 0; i < kRunEnds; ++i) {
      text.sample({{"app", key[0]},
                   {"component", key[1]},
                   {"trigger", key[2]},
                   {"on", key[3]},
                   {"group", key[4]},
                   {"outcome", to_string(static_cast<RunEnd>(i))}},
                  total.ended[i]);
    }
  }
  plain("weft_trigger_runs_in_flight", "gauge", "Runs under way.",
        [](const TriggerTotal& total) { return total.running(); });
  plain("weft_trigger_given_up_total", "counter",
        "What failed each time and is tried no more; of messages: dead letters.",
        [](const TriggerTotal& total) { return total.given_up; });
}

void backlogs(Text& text, const HostFacts& facts) {
  if (facts.backlogs.empty()) return;
  text.family("weft_messages_waiting", "gauge",
              "Messages that a group has not done with, where the driver knows it.");
  for (const BacklogFacts& each : facts.backlogs) {
    text.sample({{"app", each.app}, {"broker", each.broker}, {"group", each.group}}, each.messages);
  }
}

void servers(Text& text, const HostFacts& facts) {
  auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                    auto write) {
    text.family(name, type, help);
    for (const ServerFacts& each : facts.servers) {
      auto sample = [&](auto value, std::string_view suffix = {}, std::string_view outcome = {}) {
        if (outcome.empty()) {
          text.sample({{"capability", each.capability},
                       {"name", each.name},
                       {"driver", each.driver},
                       {"server", each.server}},
                      value, suffix);
        } else {
          text.sample({{"capability", each.capability},
                       {"name", each.name},
                       {"driver", each.driver},
                       {"server", each.server},
                       {"outcome", outcome}},
                      value, suffix);
        }
      };
      write(each, sample);
    }
  };
  if (facts.servers.empty()) return;
  family("weft_server_up", "gauge",
         "Whether the server of a driver was there when it was last heard of; none: nobody asked.",
         [](const ServerFacts& each, auto sample) {
           if (each.asked) sample(each.up ? 1 : 0);
         });
  family("weft_server_losses_total", "counter", "Connections that failed or broke.",
         [](const ServerFacts& each, auto sample) { sample(each.losses); });
  family("weft_server_requests_total", "counter", "Requests to servers, by what became of them.",
         [](const ServerFacts& each, auto sample) {
           sample(each.answered, {}, "answered");
           sample(each.unanswered, {}, "unanswered");
         });
  family("weft_server_request_duration_seconds", "summary",
         "From sending a request to the end of its answer.",
         [](const ServerFacts& each, auto sample) {
           sample(std::chrono::duration<double>(each.time).count(), "_sum");
           sample(each.answered, "_count");
         });
}

void host(Text& text, const HostFacts& facts, const ProcessUse& use) {
  auto one = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    text.family(name, type, help);
    text.sample({}, value);
  };
  text.family("weft_info", "gauge", "The version that runs.");
  text.sample({{"version", kWeftVersion}}, 1);
  one("weft_loops", "gauge", "Threads that serve.", facts.loops);
  one("weft_http_connections", "gauge", "Connections of clients.", facts.connections);
  text.family("weft_reloads_total", "counter", "Reloads of files and components.");
  text.sample({{"outcome", "served"}}, facts.reloads);
  text.sample({{"outcome", "refused"}}, facts.reload_failures);
  text.family("weft_programs_loaded_total", "counter",
              "Components that were loaded, by whether the compile cache had them.");
  text.sample({{"cache", "hit"}}, facts.programs_cached);
  text.sample({{"cache", "miss"}}, facts.programs_compiled);
  text.family("weft_spans_total", "counter", "Spans of traces, by what became of them.");
  text.sample({{"outcome", "exported"}}, facts.spans_exported);
  text.sample({{"outcome", "dropped"}}, facts.spans_dropped);
  one("process_cpu_seconds_total", "counter", "Processor time.", use.cpu_seconds);
  one("process_resident_memory_bytes", "gauge", "Memory that is resident.", use.resident_bytes);
  one("process_open_fds", "gauge", "Open files.", use.open_files);
  one("process_max_fds", "gauge", "Open files at most.", use.open_files_max);
  std::chrono::duration<double> started = facts.started.time_since_epoch();
  one("process_start_time_seconds", "gauge", "When it was started, since 1970.", started.count());
}

}  // namespace

std::string prometheus_text(const Totals& totals, const HostFacts& facts, const ProcessUse& use) {
  Text text;
  host(text, facts, use);
  routes(text, totals);
  components(text, totals);
  calls(text, totals);
  links(text, totals);
  triggers(text, totals);
  backlogs(text, facts);
  servers(text, facts);
  return text.take();
}

}  // namespace weft
