#pragma once

#include <memory>
#include <string>

#include "io/http/tls.h"
#include "node/object/key.h"

namespace weft::node::wire {

// The TLS of a node's listener: a certificate of its own key.
std::shared_ptr<TlsContext> tls_of(const SigningKey& key);

// What HttpClientOptions::pinned_key has to be, so that only the node with that key is talked to.
std::string pin_of(const PublicKey& key);

}  // namespace weft::node::wire
