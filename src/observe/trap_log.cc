#include "observe/trap_log.h"

namespace weft {

void TrapLog::add(TrapRecord record) {
  if (record.report.size() > kTrapBytesMax) {
    record.report.resize(kTrapBytesMax);
    record.report += " ... (cut)";
  }
  std::lock_guard hold(mutex_);
  records_.push_front(std::move(record));
  if (records_.size() > kTrapsKept) records_.pop_back();
}

std::vector<TrapRecord> TrapLog::newest() const {
  std::lock_guard hold(mutex_);
  return {records_.begin(), records_.end()};
}

}  // namespace weft
