#include "engine/notes.h"

namespace weft {
namespace {

void add(Deployment& deployment, std::string_view request, std::string_view kind,
         std::string_view report) {
  deployment.observer->traps().add({.at = std::chrono::system_clock::now(),
                                    .app = deployment.app,
                                    .component = deployment.component,
                                    .request = std::string(request),
                                    .kind = std::string(kind),
                                    .report = std::string(report)});
}

void count(Deployment& deployment, LimitKind kind) {
  deployment.meter->limits[static_cast<std::size_t>(kind)].add();
}

}  // namespace

void note_ended(Deployment& deployment, const RunOutcome& outcome, std::string_view request) {
  if (deployment.meter == nullptr || outcome.well()) return;
  using Ending = RunOutcome::Ending;
  switch (outcome.ending) {
    case Ending::kTrapped:
      deployment.meter->traps.add();
      return add(deployment, request, "trap", outcome.message);
    case Ending::kLimited:
      count(deployment, outcome.limit);
      return add(deployment, request, to_string(outcome.limit), outcome.message);
    // No record: a crowd that finds no room would push everything else out.
    case Ending::kNoRoom: return count(deployment, LimitKind::kInstances);
    default:
      deployment.meter->failures.add();
      return add(deployment, request, "failure", outcome.message);
  }
}

void note_out_of_time(Deployment& deployment, std::string_view what, bool begun,
                      std::string_view request) {
  if (deployment.meter == nullptr) return;
  LimitKind kind = begun ? LimitKind::kStream : LimitKind::kTime;
  count(deployment, kind);
  add(deployment, request, to_string(kind), what);
}

void note_busy(Deployment& deployment) {
  if (deployment.meter != nullptr) count(deployment, LimitKind::kInstances);
}

}  // namespace weft
