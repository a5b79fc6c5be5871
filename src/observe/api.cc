#include "observe/api.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "base/json_string.h"
#include "base/version.h"

namespace weft {
namespace {

namespace json = boost::json;

// Numbers for people: as many digits as they mean.
double rounded(double value) {
  constexpr double kThousandths = 1'000;
  return std::round(value * kThousandths) / kThousandths;
}

json::string time_text(std::chrono::system_clock::time_point time) {
  auto whole = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return json_string(fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                                 fmt::gmtime(std::chrono::system_clock::to_time_t(time)),
                                 whole % 1000));
}

json::object times(const LatencyTotal& total, double unit_ns, std::string_view unit) {
  json::object out;
  out["count"] = total.count();
  for (auto [name, share] :
       {std::pair("p50", 0.5), std::pair("p90", 0.9), std::pair("p99", 0.99)}) {
    out[fmt::format("{}_{}", name, unit)] = rounded(total.quantile(share) / unit_ns);
  }
  return out;
}

json::object route(const RouteTotal& total) {
  constexpr double kMs = 1e6;
  json::object out;
  out["requests"] = total.ended();
  out["in_flight"] = total.in_flight();
  json::object status;
  static constexpr std::array<std::string_view, 6> kClasses = {"none", "1xx", "2xx",
                                                               "3xx",  "4xx", "5xx"};
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    if (i != 1 && (i != 0 || total.answered[0] > 0)) status[kClasses[i]] = total.answered[i];
  }
  out["status"] = std::move(status);
  out["errors"] = total.answered[0] + total.answered[5];
  out["cut"] = total.broken + total.gone;
  out["bytes_in"] = total.bytes_in;
  out["bytes_out"] = total.bytes_out;
  out["time"] = times(total.time, kMs, "ms");
  return out;
}

json::array routes(const Totals& totals) {
  json::array out;
  for (const auto& [key, total] : totals.routes) {
    json::object each = route(total);
    each["app"] = json_string(key[0]);
    each["component"] = json_string(key[1]);
    each["route"] = json_string(key[2]);
    out.push_back(std::move(each));
  }
  return out;
}

json::array components(const Totals& totals) {
  json::array out;
  for (const auto& [key, total] : totals.components) {
    json::object each;
    each["app"] = json_string(key[0]);
    each["component"] = json_string(key[1]);
    each["instances"] = total.instances;
    each["traps"] = total.traps;
    each["failures"] = total.failures;
    json::object limits;
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < kLimitKinds; ++i) {
      all += total.limits[i];
      if (total.limits[i] > 0) limits[to_string(static_cast<LimitKind>(i))] = total.limits[i];
    }
    each["limits"] = std::move(limits);
    each["limits_total"] = all;
    each["cpu_s"] = rounded(static_cast<double>(total.cpu_ns) / 1e9);
    each["memory_peak_bytes"] = total.memory_peak;
    each["lines"] = total.lines;
    each["sent"] = total.sent;
    each["send_failures"] = total.send_failures;
    each["send_refusals"] = total.send_refusals;
    out.push_back(std::move(each));
  }
  return out;
}

json::array calls(const Totals& totals) {
  constexpr double kUs = 1e3;
  json::array out;
  for (const auto& [key, total] : totals.calls) {
    json::object each;
    each["app"] = json_string(key[0]);
    each["component"] = json_string(key[1]);
    each["capability"] = json_string(key[2]);
    each["driver"] = json_string(key[3]);
    each["calls"] = total.calls;
    each["failures"] = total.failures;
    each["time"] = times(total.time, kUs, "us");
    out.push_back(std::move(each));
  }
  return out;
}

json::array triggers(const Totals& totals) {
  json::array out;
  for (const auto& [key, total] : totals.triggers) {
    json::object each;
    each["app"] = json_string(key[0]);
    each["component"] = json_string(key[1]);
    each["trigger"] = json_string(key[2]);
    each["on"] = json_string(key[3]);
    if (!key[4].empty()) each["group"] = json_string(key[4]);
    json::object runs;
    for (std::size_t i = 0; i < kRunEnds; ++i) {
      runs[to_string(static_cast<RunEnd>(i))] = total.ended[i];
    }
    each["runs"] = std::move(runs);
    each["in_flight"] = total.running();
    each["given_up"] = total.given_up;
    out.push_back(std::move(each));
  }
  return out;
}

json::array backlogs(const HostFacts& facts) {
  json::array out;
  for (const BacklogFacts& each : facts.backlogs) {
    json::object backlog;
    backlog["app"] = json_string(each.app);
    backlog["broker"] = json_string(each.broker);
    backlog["group"] = json_string(each.group);
    backlog["messages"] = each.messages;
    out.push_back(std::move(backlog));
  }
  return out;
}

json::array servers(const HostFacts& facts) {
  json::array out;
  for (const ServerFacts& each : facts.servers) {
    json::object server;
    server["capability"] = json_string(each.capability);
    server["name"] = json_string(each.name);
    server["driver"] = json_string(each.driver);
    server["server"] = json_string(each.server);
    server["state"] = json_string(!each.asked ? "not asked" : each.up ? "up" : "down");
    server["losses"] = each.losses;
    server["answered"] = each.answered;
    server["unanswered"] = each.unanswered;
    double us = std::chrono::duration<double, std::micro>(each.time).count();
    server["mean_us"] = rounded(each.answered == 0 ? 0 : us / static_cast<double>(each.answered));
    out.push_back(std::move(server));
  }
  return out;
}

json::object point(const HistoryPoint& each) {
  json::object out;
  out["at"] = each.at;
  out["requests"] = rounded(each.requests);
  out["errors"] = rounded(each.errors);
  out["p50_ms"] = rounded(each.p50_ms);
  out["p90_ms"] = rounded(each.p90_ms);
  out["p99_ms"] = rounded(each.p99_ms);
  out["in_flight"] = each.in_flight;
  out["cpu"] = rounded(each.cpu);
  return out;
}

}  // namespace

std::string overview_json(const Totals& totals, const HostFacts& facts, const ProcessUse& use,
                          const History& history) {
  json::object out;
  out["version"] = json_string(kWeftVersion);
  out["state"] = json_string(to_string(facts.state));
  out["started"] = time_text(facts.started);
  std::chrono::duration<double> up = std::chrono::system_clock::now() - facts.started;
  out["uptime_s"] = rounded(up.count());
  json::array urls;
  for (const std::string& url : facts.urls) urls.push_back(json_string(url));
  out["urls"] = std::move(urls);
  out["loops"] = facts.loops;
  out["connections"] = facts.connections;
  out["reloads"] = facts.reloads;
  out["reload_failures"] = facts.reload_failures;
  out["programs_cached"] = facts.programs_cached;
  out["programs_compiled"] = facts.programs_compiled;
  out["spans_exported"] = facts.spans_exported;
  out["spans_dropped"] = facts.spans_dropped;
  json::object process;
  process["cpu_s"] = rounded(use.cpu_seconds);
  process["resident_bytes"] = use.resident_bytes;
  process["open_files"] = use.open_files;
  out["process"] = std::move(process);
  json::object sum = route(totals.all_routes());
  std::uint64_t traps = 0;
  std::uint64_t limits = 0;
  for (const auto& [key, total] : totals.components) {
    traps += total.traps;
    for (std::uint64_t each : total.limits) limits += each;
  }
  sum["traps"] = traps;
  sum["limits"] = limits;
  out["totals"] = std::move(sum);
  out["now"] = history.points().empty() ? json::object() : point(history.points().back());
  out["routes"] = routes(totals);
  out["components"] = components(totals);
  out["calls"] = calls(totals);
  out["triggers"] = triggers(totals);
  out["backlogs"] = backlogs(facts);
  out["servers"] = servers(facts);
  return json::serialize(out);
}

std::string history_json(const History& history) {
  json::array points;
  for (const HistoryPoint& each : history.points()) points.push_back(point(each));
  json::object out;
  out["seconds"] = kHistorySeconds;
  out["points"] = std::move(points);
  return json::serialize(out);
}

std::string traps_json(const std::vector<TrapRecord>& records) {
  json::array out;
  for (const TrapRecord& each : records) {
    json::object trap;
    trap["at"] = time_text(each.at);
    trap["app"] = json_string(each.app);
    trap["component"] = json_string(each.component);
    trap["request"] = json_string(each.request);
    trap["kind"] = json_string(each.kind);
    trap["report"] = json_string(each.report);
    out.push_back(std::move(trap));
  }
  return json::serialize(out);
}

std::string requests_json(const std::vector<LiveRequests>& loops) {
  std::size_t count = 0;
  std::vector<const LiveRequest*> all;
  for (const LiveRequests& loop : loops) {
    count += loop.count;
    for (const LiveRequest& each : loop.shown) all.push_back(&each);
  }
  std::ranges::sort(all, std::ranges::greater(), [](const auto* each) { return each->age; });
  if (all.size() > kLiveShown) all.resize(kLiveShown);
  json::array shown;
  for (const LiveRequest* each : all) {
    json::object request;
    request["request"] = json_string(each->request);
    request["app"] = json_string(each->app);
    request["component"] = json_string(each->component);
    request["route"] = json_string(each->route);
    request["method"] = json_string(each->method);
    request["path"] = json_string(each->path);
    request["peer"] = json_string(each->peer);
    request["age_ms"] = each->age.count();
    shown.push_back(std::move(request));
  }
  json::object out;
  out["count"] = count;
  out["shown"] = std::move(shown);
  return json::serialize(out);
}

}  // namespace weft
