#pragma once

#include "capabilities/sql/drivers/pooled/connection.h"

namespace weft::sql::postgres {

// The statement as the server takes it, or why it is not served to guests: what would begin or end
// a transaction, or change the connection for those who have it next.
Or<pooled::Ready> ready(Statement statement);

}  // namespace weft::sql::postgres
