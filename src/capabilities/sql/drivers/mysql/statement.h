#pragma once

#include <string>

#include "capabilities/sql/drivers/pooled/connection.h"

namespace weft::sql::mysql {

// The statement as the server takes it, or why it is not served to guests: what would begin or end
// a transaction, or change the connection for those who have it next.
Or<pooled::Ready> ready(Statement statement);

// Its first word, in capitals.
std::string first_word(const pooled::Ready& statement);
// Whether it would commit the transaction that it is in, as statements that make tables do.
bool commits(const pooled::Ready& statement);
// Whether it begins as one that only reads.
bool may_read_only(const pooled::Ready& statement);

}  // namespace weft::sql::mysql
