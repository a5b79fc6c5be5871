#include "triggers/http/guest_handler.h"

namespace weft {

void GuestHandler::on_complete(const ExchangeSummary& summary) {
  if (log_ != nullptr) log_->add(summary);
}

}  // namespace weft
